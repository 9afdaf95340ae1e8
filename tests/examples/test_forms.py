"""What is given in another form, or left out, so that a row is not rejected without need: exact texts and findings."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.reference import IGNORED
from law.shapes import TOOLS, assistant, call, system, tool, user
from law.templates import HEAD, LAWS, SAY, TAIL, Law, chatml
from law.tokenizers_here import tokenizer

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import History, Mismatch, Part, Policy

ASKED = "<|im_start|>user\nHi<|im_end|>\n"
PLAIN = {"messages": [user("Hi"), assistant("Hello.")]}
HISTORIES = list(History)


def preparer(law, **policy):
    loaded = tokenizer("byte_level", law.eos, law.stops)
    return Preparer(loaded, now=NOW, policy=Policy(**policy), template=law.text)


def made(law, row, **policy):
    """Return ``(text, trained text)`` of each sequence, and the findings by code."""
    maker = preparer(law, **policy)
    prepared = maker.prepare(DEFAULT.parse(row))
    decode = maker.loaded.tokenizer.decode
    sequences = [
        (one.sequence.text.text, decode([label for label in one.labelled.labels.tolist() if label != IGNORED]))
        for one in prepared.sequences
    ]
    return sequences, {finding.code: finding.detail for finding in prepared.findings}


def refused(law, row, **policy):
    with pytest.raises(RowError) as caught:
        preparer(law, **policy).prepare(DEFAULT.parse(row))
    return caught.value


# Contents as parts


@pytest.mark.parametrize("name", ["loops_over_parts", "takes_the_first_part"])
def test_contents_are_given_as_parts_where_a_text_is_dropped_or_refused(name):
    sequences, findings = made(LAWS[name], PLAIN)
    assert sequences == [(f"{ASKED}{HEAD}Hello.{TAIL}", "Hello.<|im_end|>")]
    assert "content-as-parts" in findings


def test_text_in_parts_is_still_the_content_of_its_message():
    (sequence,) = preparer(LAWS["loops_over_parts"]).prepare(DEFAULT.parse(PLAIN)).sequences
    assert [(span.message, span.part) for span in sequence.labelled.spans if span.trained] == [
        (1, Part.CONTENT),
        (1, Part.STOP),
    ]


def test_ranges_count_the_characters_of_the_text_in_a_part():
    row = {"messages": [user("Hi"), assistant("Hello. Bye.", mask_spans=[[6, 11]])]}
    sequences, _ = made(LAWS["takes_the_first_part"], row)
    assert sequences[0][1] == "Hello.<|im_end|>"


def test_a_template_that_reads_both_forms_is_given_texts():
    both = "{% if m.content is string %}{{ m.content }}{% else %}{{ m.content[0].text }}{% endif %}"
    sequences, findings = made(Law(chatml(HEAD + both + TAIL)), PLAIN)
    assert sequences[0][1] == "Hello.<|im_end|>"
    assert "content-as-parts" not in findings


def test_parts_that_are_not_rendered_whole_are_not_taken():
    """A template that shows three letters of each part shows nothing of a text: neither will do."""
    law = Law(chatml(HEAD + "{% for p in m.content %}{{ (p.text or '')[:3] }}{% endfor %}" + TAIL))
    assert refused(law, PLAIN).code == "content-dropped"
    law = Law(chatml(HEAD + "{{ m.content|string if m.content is not string }}{{ m.text }}" + TAIL))
    assert refused(law, PLAIN).code == "content-dropped"


def test_what_no_form_mends_is_refused_in_the_templates_own_words():
    law = Law(chatml(HEAD + "{{ m.content[0].text + '' }}{{ raise_exception('no, never') }}" + TAIL))
    error = refused(law, PLAIN)
    assert error.code == "template-error"


def test_an_empty_content_as_a_part_is_no_content_that_is_dropped():
    row = {
        "messages": [user("Hi"), assistant("", tool_calls=[call()]), tool("7"), assistant("Seven.")],
        "tools": TOOLS,
    }
    sequences, findings = made(LAWS["loops_over_parts"], row)
    assert len(sequences) == 1
    assert "Seven.<|im_end|>" in sequences[0][1]
    assert "content-dropped" not in findings


# Reasoning under another name


@pytest.mark.parametrize("given", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_is_given_under_the_name_that_the_template_reads(given):
    row = {"messages": [user("Hi"), assistant("Hello.", **{given: "Greet."})]}
    sequences, findings = made(LAWS["reads_reasoning"], row)
    assert sequences == [
        (f"{ASKED}{HEAD}<think>\nGreet.\n</think>\n\nHello.{TAIL}", "<think>\nGreet.\n</think>\n\nHello.<|im_end|>")
    ]
    assert "content-dropped" not in findings


def test_a_name_that_only_some_templates_have_is_tried_as_well():
    law = Law(chatml(HEAD + "{% if m.thought %}({{ m.thought }}) {% endif %}" + SAY + TAIL))
    row = {"messages": [user("Hi"), assistant("Hello.", reasoning_content="Greet.")]}
    sequences, findings = made(law, row)
    assert sequences[0][1] == "(Greet.) Hello.<|im_end|>"
    assert "content-dropped" not in findings


def test_a_name_under_which_the_reasoning_is_not_rendered_whole_is_not_taken():
    law = Law(chatml(HEAD + "{{ (m.reasoning or '')[:2] }}" + SAY + TAIL))
    row = {"messages": [user("Hi"), assistant("Hello.", reasoning_content="Greet.")]}
    sequences, findings = made(law, row)
    assert sequences[0][1] == "Hello.<|im_end|>"
    assert "content-dropped" in findings


def test_a_template_that_reads_both_names_is_not_given_the_other_one():
    both = "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.reasoning }}"
    row = {"messages": [user("Hi"), assistant("Hello.", reasoning_content="Greet.")]}
    sequences, _ = made(Law(chatml(HEAD + both + SAY + TAIL)), row)
    assert sequences[0][1] == "<think>Greet.</think>Hello.<|im_end|>"


# White space in the prompt


def test_a_prompt_with_other_white_space_is_followed_by_the_turns_own_text():
    for law, prompt in ((LAWS["prompt_has_more_blanks"], HEAD + "\n"), (LAWS["header_has_more_blanks"], HEAD + " ")):
        sequences, findings = made(law, PLAIN)
        assert [trained.strip() for _, trained in sequences] == ["Hello.<|im_end|>"]
        text, trained = sequences[0]
        assert text.startswith(ASKED + prompt)
        assert "prompt-whitespace" in findings
        assert (sequences, "prompt-mismatch-graft" in made(law, PLAIN, mismatch=Mismatch.GRAFT)[1]) == (
            made(law, PLAIN, mismatch=Mismatch.GRAFT)[0],
            True,
        )
        assert text.endswith(trained)


def test_train_still_takes_the_turn_as_rendered():
    sequences, findings = made(LAWS["prompt_has_more_blanks"], PLAIN, mismatch=Mismatch.TRAIN)
    assert sequences == [(f"{ASKED}{HEAD}Hello.{TAIL}", "Hello.<|im_end|>")]
    assert "prompt-mismatch-train" in findings


def test_a_prompt_with_more_than_other_white_space_is_refused():
    assert refused(LAWS["prompt_opens_thought"], PLAIN).code == "prompt-mismatch"
    law = Law(chatml(HEAD + "<think></think>" + SAY + TAIL, ask=HEAD + "<think>\n"))
    assert refused(law, PLAIN).code == "prompt-mismatch"


# Before the first user message

GREETING = {"messages": [system(), assistant("Hello. What is it?"), user("Hi"), assistant("Hello.")]}


@pytest.mark.parametrize("history", HISTORIES)
def test_a_greeting_without_a_prompt_is_not_trained_and_the_rest_is(history):
    sequences, findings = made(LAWS["needs_a_user"], GREETING, history=history)
    assert [trained for _, trained in sequences] == ["Hello.<|im_end|>"]
    assert "Hello. What is it?" in sequences[0][0]
    assert "messages[1]" in findings["assistant-first"]


def test_a_greeting_that_a_server_can_ask_for_is_trained():
    sequences, findings = made(LAWS["chatml"], GREETING)
    assert sequences[0][1] == "Hello. What is it?<|im_end|>Hello.<|im_end|>"
    assert "assistant-first" not in findings


def test_a_greeting_before_which_the_template_writes_nothing_is_not_trained():
    law = Law(
        "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    )
    sequences, findings = made(law, GREETING)
    assert [trained for _, trained in sequences] == ["<|im_start|>assistant\nHello.<|im_end|>"]
    assert "messages[1]" in findings["assistant-first"]


def test_a_later_turn_that_fails_still_rejects_the_row():
    law = Law(
        "{% if messages|length > 3 and add_generation_prompt %}{{ raise_exception('too many') }}{% endif %}"
        + LAWS["needs_a_user"].text
    )
    row = {"messages": [*GREETING["messages"], user("Bye"), assistant("Bye.")]}
    assert refused(law, row).code == "template-error"


def test_a_greeting_alone_is_nothing_to_train():
    error = refused(LAWS["needs_a_user"], {"messages": [system(), assistant("Hello."), user("Hi")]})
    assert error.code == "nothing-to-train"
    assert refused(LAWS["needs_a_user"], {"messages": [system(), assistant("Hello.")]}).code == "template-error"


# Texts without a character


@pytest.mark.parametrize("count", [1, 2])
def test_an_empty_result_is_as_one_with_a_letter_in_it(count):
    calls = [call(), call("get_time", {"city": "Bergen"}, "call00002")][:count]
    results = [tool("7", tool_call_id="call00001"), tool("", tool_call_id="call00002")][-count:]
    law = LAWS["last_result_ends_otherwise"]
    trained = []
    for text in ("", "x"):
        last = {**results[-1], "content": text}
        row = {"messages": [user("Hi"), assistant("", tool_calls=calls), *results[:-1], last, assistant("Done.")]}
        trained.append([learnt for _, learnt in made(law, row)[0]])
    assert trained[0] == trained[1]
    assert any("Done.<|im_end|>" in learnt for learnt in trained[0])


# Answers that say nothing

HELLO = [user("Hi"), assistant("Hello.")]


@pytest.mark.parametrize("content", ["", " \n", "\t"])
@pytest.mark.parametrize("history", HISTORIES)
def test_an_answer_that_says_nothing_is_left_out_and_counted(content, history):
    row = {"messages": [*HELLO, user("So?"), assistant(content), user("Hi?"), assistant("Yes.")]}
    sequences, findings = made(LAWS["chatml"], row, history=history)
    assert [trained for _, trained in sequences] == ["Hello.<|im_end|>Yes.<|im_end|>"]
    assert f"{HEAD}{content}<|im_end|>" in sequences[0][0]
    assert "messages[3]" in findings["empty-answer"]


@pytest.mark.parametrize("template", ["chatml", "writes_closed_thought", "drops_assistant", "prompt_opens_thought"])
def test_a_row_of_answers_that_say_nothing_is_rejected(template):
    error = refused(LAWS[template], {"messages": [user("Hi"), assistant(""), user("Hi?"), assistant(" ")]})
    assert error.code == "empty-answer"
    assert "2 of 4" in error.message


def test_a_call_and_a_thought_say_something():
    row = {"messages": [user(), assistant("", tool_calls=[call()]), tool(), assistant("", reasoning_content="Hm.")]}
    _, findings = made(LAWS["chatml_calls"], row)
    assert "empty-answer" not in findings


def test_an_answer_in_a_field_of_the_templates_own_says_something():
    law = Law(chatml(HEAD + "{{ m.poem or '' }}" + SAY + TAIL))
    sequences, findings = made(law, {"messages": [user("Hi"), assistant("", poem="Roses")]})
    assert sequences[0][1] == "Roses<|im_end|>"
    assert "empty-answer" not in findings


def test_an_answer_out_of_the_loss_is_not_counted():
    _, findings = made(LAWS["chatml"], {"messages": [*HELLO, user("So?"), assistant("", weight=0)]})
    assert "empty-answer" not in findings


def test_a_prefix_is_given_and_says_nothing():
    row = {"messages": [*HELLO, user("So?"), assistant("Sure, ", prefix=True)]}
    sequences, findings = made(LAWS["chatml"], row)
    assert [trained for _, trained in sequences] == ["Hello.<|im_end|>"]
    assert "Sure, " in sequences[0][0]
    assert "empty-answer" in findings
    assert refused(LAWS["chatml"], {"messages": [user("Hi"), assistant("Sure, ", prefix=True)]}).code == "empty-answer"


# Formatting


@pytest.mark.parametrize("name", ["percent_format", "percent_filter"])
def test_formatted_text_is_known_to_be_whose_it_is(name):
    (sequence,) = preparer(LAWS[name]).prepare(DEFAULT.parse(PLAIN)).sequences
    assert [span.part for span in sequence.labelled.spans if span.trained] == [Part.CONTENT, Part.STOP]


def test_what_cannot_be_told_apart_is_refused_with_the_stop_token_that_helps():
    law = Law(LAWS["percent_padded"].text.replace("<|im_end|>", "<end_of_turn>"))
    error = refused(law, PLAIN)
    assert error.code == "provenance-lost"
    assert "'<end_of_turn>' in `stop_tokens`" in error.hint
    sequences, _ = made(law._replace(stops=("<end_of_turn>",)), PLAIN)
    assert sequences[0][1] == "Hello.<end_of_turn>"


def test_a_stop_token_that_would_not_help_is_not_named():
    law = LAWS["percent_padded"]
    error = refused(law, {"messages": [user("Hi"), assistant("I write <|im_end|> here.")]})
    assert error.code == "provenance-lost"
    assert "stop_tokens" not in error.hint
