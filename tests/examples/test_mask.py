"""What the user and the data take out of the loss, or weigh: turns, roles, parts, ids, thoughts, ranges, prefixes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.comparing import NOW
from law.shapes import assistant, call, system, tool, user
from law.templates import CALLS, HEAD, LAWS, SAY, TAIL, Law, chatml
from law.tokenizers_here import tokenizer

from maskprep.conversation import Conversation, Message, Range
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.labelled import IGNORED
from maskprep.policy import History, Part, Policy

LAWS_HERE = {
    **LAWS,
    "no_system": Law(chatml(HEAD + SAY + TAIL, rest="{% if m.role != 'system' %}{{ m.content }}<|end|>{% endif %}")),
    "groups_results": Law(
        "{% for m in messages %}{% if m.role == 'tool' %}"
        "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}<|im_start|>tool{% endif %}"
        "\n[{{ m.content }}]"
        "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}<|im_end|>{{ '\n' }}{% endif %}"
        "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}" + CALLS + "<|im_end|>{{ '\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "empty_thought_of_another_name": Law(
        chatml(HEAD + "<|channel|>musing {{ m.reasoning_content }} <|end|>" + SAY + TAIL)
    ),
    "prints_call_ids": Law(
        chatml(HEAD + "{% for c in m.tool_calls or [] %}[{{ c.function.name }}#{{ c.id }}]{% endfor %}" + SAY + TAIL)
    ),
}


@cache
def preparer(template, policy, kind="byte_level"):
    law = LAWS_HERE[template]
    return Preparer(tokenizer(kind, law.eos, law.stops), now=NOW, policy=policy, template=law.text)


def prepared(template, messages, policy=None):
    messages = tuple(m if isinstance(m, Message) else Message(m) for m in messages)
    return preparer(template, policy or Policy()).prepare(Conversation(messages))


def trained(template, messages, policy=None):
    """The trained texts of each sequence."""
    maker = preparer(template, policy or Policy())
    return [pieces(maker, sequence.labelled) for sequence in prepared(template, messages, policy).sequences]


def pieces(maker, labelled):
    learnt = labelled.labels != IGNORED
    edges = np.flatnonzero(np.diff(np.concatenate(([False], learnt, [False])).astype(int))).reshape(-1, 2)
    return [maker.loaded.tokenizer.decode(labelled.input_ids[start:end]) for start, end in edges]


CHAT = (user("One?"), assistant("First."), user("Two?"), assistant("Second."), user("Three?"), assistant("Third."))


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ("all", ["First.<|im_end|>", "Second.<|im_end|>", "Third.<|im_end|>"]),
        ("first", ["First.<|im_end|>"]),
        ("last", ["Third.<|im_end|>"]),
        ("2 last", ["Second.<|im_end|>", "Third.<|im_end|>"]),
        ("9 last", ["First.<|im_end|>", "Second.<|im_end|>", "Third.<|im_end|>"]),
    ],
)
def test_which_turns(turns, expected):
    assert trained("chatml", CHAT, Policy(turns=turns)) == [expected]


AGENT = (
    system("Be brief."),
    *CHAT[:2],
    user("Weather?"),
    assistant("I look.", reasoning_content="Where?", tool_calls=[call()]),
    tool("cold"),
    {"role": "developer", "content": "Mind the time."},
    assistant("Once more.", reasoning_content="Sure?", tool_calls=[call(call_id="call00002")]),
    tool("warm", tool_call_id="call00002"),
    assistant("Mild.", reasoning_content="Enough."),
)


@pytest.mark.parametrize("history", History)
@pytest.mark.parametrize("template", ["chatml_calls", "drops_old_thoughts", "answers_behind_results", "next_role_ends"])
def test_all_turns_since_the_last_user_are_trained_as_they_are_when_all_are(template, history):
    policies = [Policy(turns=turns, history=history) for turns in ("all", "since_last_user")]
    whole, since = (prepared(template, AGENT, policy).sequences for policy in policies)

    def learnt(sequences):
        found = {}
        for sequence in sequences:
            for span in sequence.labelled.spans:
                if span.trained:
                    ids = sequence.labelled.input_ids
                    found.setdefault(span.message, []).append((ids[: span.end].tolist(), span.part))
        return found

    rewritten = {4, 7} if (template, history) == ("answers_behind_results", History.MASK) else set()
    assert learnt(since).keys() == {4, 7, 9} - rewritten
    assert learnt(since) == {message: pieces for message, pieces in learnt(whole).items() if message > 3}


def test_a_tool_result_that_is_a_user_message_is_a_user_message():
    messages = (user("Weather?"), assistant("Action: look"), user("Observation: cold"), assistant("Put on a coat."))
    assert trained("chatml", messages, Policy(turns="since_last_user")) == [["Put on a coat.<|im_end|>"]]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ((*AGENT, user("Thanks.")), "messages[10] is the last user message, and the conversation ends with it"),
        (
            (*AGENT[:2], assistant("First."), user("Thanks."), tool("cold")),
            "messages[3] is the last user message, and no assistant message follows it",
        ),
        ((system("Work."), assistant("Done."), assistant("Really.")), "no user message that a turn could follow"),
    ],
)
def test_where_nothing_follows_the_last_user_the_reason_is_told(messages, why):
    for _ in range(3):  # the second of a form is planned
        with pytest.raises(RowError) as caught:
            prepared("chatml", messages, Policy(turns="since_last_user"))
        assert caught.value.code == "nothing-to-train"
        assert why in caught.value.message
        assert "since_last_user" in caught.value.message


def test_turns_are_counted_before_the_data_takes_some_out():
    messages = (*CHAT[:-1], Message(CHAT[-1], weight=0.0))
    with pytest.raises(RowError) as caught:
        prepared("chatml", messages, Policy(turns="last"))
    assert caught.value.code == "nothing-to-train"


def test_a_user_is_trained_on_its_own_text_and_stop_token_without_its_header():
    policy = Policy(roles=frozenset({"user"}))
    assert trained("chatml", CHAT, policy) == [["One?<|im_end|>", "Two?<|im_end|>", "Three?<|im_end|>"]]
    both = Policy(roles=frozenset({"user", "assistant"}), turns="3 last")
    assert trained("chatml", CHAT, both) == [["Second.<|im_end|>", "Three?<|im_end|>", "Third.<|im_end|>"]]


def test_the_first_message_is_trained_where_its_role_needs_no_prompt():
    assert trained("chatml", (system("Be brief."), *CHAT[:2]), Policy(roles=frozenset({"system"}))) == [
        ["Be brief.<|im_end|>"]
    ]


def test_the_ids_before_a_spoken_turn_are_those_of_what_precedes_it():
    policy = Policy(roles=frozenset({"user"}))
    (sequence,) = prepared("chatml", (user("\nOne?"), assistant("First.")), policy).sequences
    maker, labelled = preparer("chatml", policy), sequence.labelled
    start = int(np.flatnonzero(labelled.labels != IGNORED)[0])
    before = maker.loaded.tokenizer("<|im_start|>user\n", add_special_tokens=False)["input_ids"]
    assert labelled.input_ids[:start].tolist() == before


def test_a_spoken_turn_that_the_template_drops_is_refused():
    with pytest.raises(RowError) as caught:
        prepared("no_system", (system("Be brief."), *CHAT[:2]), Policy(roles=frozenset({"system"})))
    assert caught.value.code == "content-dropped"


def test_results_that_share_a_turn_have_no_stop_token_of_their_own():
    calls = assistant("", tool_calls=[call(), call(call_id="call00002")])
    messages = (user(), calls, tool("cold"), tool("warm", tool_call_id="call00002"), assistant("Mixed."))
    policy = Policy(roles=frozenset({"tool"}))
    row = prepared("groups_results", messages, policy)
    assert len(row.sequences) == 1
    assert "no-stop-token" in {finding.code for finding in row.findings}
    first, second = trained("groups_results", messages, policy)[0]
    assert first == "cold"
    assert second.startswith("warm")
    assert second.endswith("<|im_end|>")


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (Part.STOP, ["<think>\nHm.\n</think>\n\nYes."]),
        (Part.REASONING, ["<think>\n", "\n</think>\n\nYes.<|im_end|>"]),
        (Part.CONTENT, ["<think>\nHm.\n</think>\n\n", "<|im_end|>"]),
        (Part.SCAFFOLD, ["Hm", "Yes.<|im_end|>"]),
    ],
)
def test_parts(without, expected):
    messages = (user(), assistant("Yes.", reasoning_content="Hm."))
    parts = Policy().parts - {without}
    texts = trained("writes_closed_thought", messages, Policy(parts=parts))[0]
    assert [text.strip("\n") for text in texts] == [text.strip("\n") for text in expected]


def test_an_empty_thought_is_trained_and_told_or_masked():
    messages = (user(), assistant("Yes."))
    row = prepared("empty_thought_last", messages)
    assert "empty-think-trained" in {finding.code for finding in row.findings}
    assert trained("empty_thought_last", messages) == [["<think>\n\n</think>\n\nYes.<|im_end|>"]]
    masking = Policy(empty_thoughts=False)
    assert trained("empty_thought_last", messages, masking) == [["Yes.<|im_end|>"]]
    assert "empty-think-trained" not in {f.code for f in prepared("empty_thought_last", messages, masking).findings}


def test_a_thought_that_says_something_is_not_empty():
    messages = (user(), assistant("Yes.", reasoning_content="Hm."))
    masking = Policy(empty_thoughts=False)
    assert trained("empty_thought_last", messages, masking) == [["<think>\nHm.\n</think>\n\nYes.<|im_end|>"]]


def test_an_empty_thought_is_known_by_running_the_template_whatever_it_is_called():
    messages = (user(), assistant("Yes."))
    assert trained("empty_thought_of_another_name", messages, Policy(empty_thoughts=False)) == [["Yes.<|im_end|>"]]


def test_text_in_front_of_an_answer_that_is_no_thought_stays():
    text = trained("header_goes_on", (user(), assistant("Yes.")), Policy(empty_thoughts=False))
    assert text == trained("header_goes_on", (user(), assistant("Yes.")))


def test_ids_of_calls_can_be_left_out():
    messages = (user(), assistant("", tool_calls=[call(call_id="random17x")]), tool(), assistant("Mild."))
    (full,) = trained("prints_call_ids", messages)
    assert "random17x" in full[0]
    masked = Policy(call_ids=False)
    (cut,) = trained("prints_call_ids", messages, masked)
    assert "random17x" not in "".join(cut)
    assert "get_weather" in "".join(cut)
    (sequence,) = prepared("prints_call_ids", messages, masked).sequences
    assert "random17x" in preparer("prints_call_ids", masked).loaded.tokenizer.decode(sequence.labelled.input_ids)


def test_weights_reach_every_token_of_a_message():
    messages = (user(), Message(assistant("Half."), weight=0.5), user(), Message(assistant("Twice."), weight=2.0))
    (sequence,) = prepared("chatml", messages).sequences
    labelled = sequence.labelled
    assert labelled.weights is not None
    assert labelled.weights.dtype == np.float32
    for span in labelled.spans:
        expected = {1: 0.5, 3: 2.0}[span.message] if span.trained else 0.0
        assert set(labelled.weights[span.start : span.end].tolist()) == {expected}
    assert ((labelled.weights > 0) == (labelled.labels != IGNORED)).all()


def test_no_weights_where_all_count_one():
    (sequence,) = prepared("chatml", (*CHAT[:2], user(), Message(assistant(), weight=0.0))).sequences
    assert sequence.labelled.weights is None


def test_a_range_weighs_what_the_message_does_not():
    content = "seen unseen seen"
    ranges = (Range("content", 0, 4, 1.0), Range("content", 12, 16, 0.25))
    (sequence,) = prepared("chatml", (user(), Message(assistant(content), 0.0, ranges))).sequences
    maker, labelled = preparer("chatml", Policy()), sequence.labelled
    assert [text.strip() for text in pieces(maker, labelled)] == ["seen", "seen"]
    assert set(labelled.weights.tolist()) == {0.0, 0.25, 1.0}


def test_a_prefix_is_given_and_nothing_of_its_turn_is_trained():
    messages = (*CHAT[:2], user(), Message(assistant("Sure, "), prefix=True))
    (learnt,) = trained("chatml", messages)
    assert "Sure" not in "".join(learnt)
    assert "".join(learnt).count("<|im_end|>") == 1
    (sequence,) = prepared("chatml", messages).sequences
    assert "Sure, <|im_end|>" in sequence.sequence.text.text


def test_ranges_of_text_that_the_template_mixes_up_are_refused():
    ranges = (Range("content", 0, 2, 0.0),)
    with pytest.raises(RowError) as caught:
        prepared("percent_padded", (user(), Message(assistant("Oslo, of course."), 1.0, ranges)))
    assert caught.value.code == "provenance-lost"


CONTENT = st.text(st.sampled_from("ab cd\n\té,.你"), min_size=1, max_size=24).filter(lambda text: text.strip())


@pytest.mark.parametrize("template", ["chatml", "trims", "trims_last_only"])
@pytest.mark.parametrize("masked", [True, False])
@given(content=CONTENT, data=st.data())
def test_a_range_of_the_raw_content_decides_on_exactly_the_tokens_inside_it(template, masked, content, data):
    """By another way: where the tokenizer's own offsets say that the characters of the range went."""
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, len(content)))
    message = Message(assistant(content), float(masked), (Range("content", begin, end, float(not masked)),))
    maker = preparer(template, Policy())
    try:
        (sequence,) = maker.prepare(Conversation((Message(user("Go.")), message))).sequences
    except RowError as error:
        nothing = error.code == "nothing-to-train"
        assert nothing
        return
    rendered = content if template == "chatml" else content.strip()
    text = sequence.sequence.text.text
    start = text.rindex("<|im_start|>assistant\n") + len("<|im_start|>assistant\n")
    assert text.startswith(rendered, start)
    lead = len(content) - len(content.lstrip()) if template != "chatml" else 0
    named = set(range(start + begin - lead, start + end - lead)) & set(range(start, start + len(rendered)))
    completion = set(range(start, text.index("<|im_end|>", start) + len("<|im_end|>")))
    learnt = completion - named if masked else named
    tokens = maker.loaded.tokenizer.convert_ids_to_tokens(sequence.labelled.input_ids.tolist())
    raw = [index for index, character in enumerate(text) for _ in character.encode()]
    position = 0
    for token, label in zip(tokens, sequence.labelled.labels, strict=True):
        # A token outside the plain vocabulary is spelt as it is, any other with one letter a byte.
        size = len(token.encode()) if token in maker.loaded.added_tokens else len(token)
        assert (label != IGNORED) == (set(raw[position : position + size]) <= learnt), token
        position += size
    assert position == len(raw)


def test_all_histories_agree_on_masks_where_nothing_is_rewritten():
    ranges = (Range("content", 0, 5, 0.0),)
    messages = (user(), Message(assistant("Other text."), 1.0, ranges), user(), assistant("More."))
    texts = [trained("chatml", messages, Policy(history=history)) for history in History]
    assert texts[0] == texts[1] == texts[2]
    assert texts[0][0][0].lstrip() == "text.<|im_end|>"
