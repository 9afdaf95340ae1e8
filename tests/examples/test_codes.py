"""Each reason for which a row is rejected can occur, and says what is wrong."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.shapes import SHAPES, TOOLS, assistant, call, tool, user
from law.templates import CALLS, HEAD, LAWS, SAY, TAIL, chatml
from law.tokenizers_here import tokenizer

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Part, Policy


def refused(template, row, law=None, **policy):
    law = law or LAWS[template]
    preparer = Preparer(
        tokenizer("byte_level", law.eos, law.stops), now=NOW, policy=Policy(**policy), template=law.text
    )
    with pytest.raises(RowError) as caught:
        preparer.prepare(DEFAULT.parse(row))
    return caught.value


def prepared(template, row, **policy):
    law = LAWS[template]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    return Preparer(loaded, now=NOW, policy=Policy(**policy), template=law.text).prepare(DEFAULT.parse(row))


def test_template_error_shows_what_the_template_says():
    error = refused("alternates", SHAPES["consecutive_users"])
    assert error.code == "template-error"
    assert "roles must alternate" in error.message


def test_prompt_mismatch_shows_both_texts_and_what_each_way_gives():
    error = refused("prompt_opens_thought", SHAPES["plain"])
    assert error.code == "prompt-mismatch"
    assert "<think>" in error.message
    assert "Oslo, of course." in error.message
    assert "graft" in error.message
    assert "train" in error.message


def test_content_dropped_names_what_is_not_rendered():
    error = refused("drops_calls", {"messages": [user(), assistant("", tool_calls=[call()]), tool(), assistant()]})
    assert error.code == "content-dropped"
    assert "messages[1]" in error.message
    assert "tool_call" in error.message


def test_foreign_text_names_whose_it_is():
    error = refused("echoes_the_user", SHAPES["plain"])
    assert error.code == "foreign-text"
    assert "messages[0]" in error.message


def test_tools_in_a_completion_are_foreign_text():
    law = LAWS["chatml"]._replace(text=chatml(HEAD + SAY + "{{ tools[0].function.description }}" + TAIL))
    error = refused("", {"messages": [user(), assistant()], "tools": TOOLS}, law)
    assert error.code == "foreign-text"
    assert "tools" in error.message


def test_provenance_lost_where_formatted_text_may_spell_the_stop_token():
    error = refused("percent_padded", {"messages": [user(), assistant("I write <|im_end|> here.")]})
    assert error.code == "provenance-lost"


def test_lost_provenance_does_no_harm_where_renders_alone_prove_the_completion():
    (made,) = prepared("percent_padded", SHAPES["plain"]).sequences
    assert made.labelled.trained_tokens


@pytest.mark.parametrize(
    ("shape", "said"),
    [("no_assistant", "no assistant"), ("all_muted", "weight 0"), ("assistant_alone", "no prompt")],
)
def test_nothing_to_train_says_why(shape, said):
    error = refused("chatml", SHAPES[shape])
    assert error.code == "nothing-to-train"
    assert said in error.message


def test_nothing_to_train_where_the_policy_selects_no_part():
    error = refused("chatml", SHAPES["plain"], parts=frozenset({Part.REASONING}))
    assert error.code == "nothing-to-train"


def test_too_long_tells_both_lengths():
    length = len(prepared("chatml", SHAPES["long"]).sequences[0].labelled.input_ids)
    assert prepared("chatml", SHAPES["long"], max_length=length).sequences
    error = refused("chatml", SHAPES["long"], max_length=length - 1)
    assert error.code == "too-long"
    assert f"{length:,}" in error.message
    assert f"{length - 1:,}" in error.message


def test_a_fault_of_a_turn_that_is_not_trained_does_no_harm():
    row = {"messages": [user(), assistant("", tool_calls=[call()], weight=0), tool(), assistant("Seven.")]}
    (made,) = prepared("drops_calls", row).sequences
    assert made.labelled.trained_tokens
    assert CALLS not in made.sequence.text.text
