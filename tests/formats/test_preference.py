"""Preference rows are known as such; the chosen answer can be trained, the bad one never is."""

from __future__ import annotations

from typing import Any

import pytest

from maskprep.errors import RowError
from maskprep.formats import Reading

Row = dict[str, Any]

Q, GOOD, BAD = "How deep is it?", "Nine metres.", "No idea."
ASK = {"role": "user", "content": Q}
SAY, WRONG = ({"role": "assistant", "content": text} for text in (GOOD, BAD))
EARLIER = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
WRITTEN: dict[str, Row] = {
    "strings": {"prompt": Q, "chosen": GOOD, "rejected": BAD},
    "a message each": {"prompt": Q, "chosen": [SAY], "rejected": [WRONG]},
    "with the prompt in both": {"prompt": Q, "chosen": [ASK, SAY], "rejected": [ASK, WRONG]},
    "messages as prompt, and in both": {"prompt": [ASK], "chosen": [ASK, SAY], "rejected": [ASK, WRONG]},
    "messages as prompt": {"prompt": [ASK], "chosen": [SAY], "rejected": [WRONG]},
    "both whole": {"chosen": [ASK, SAY], "rejected": [ASK, WRONG]},
    "conversations": {"conversations": [{"from": "human", "value": Q}], "chosen": {"from": "gpt", "value": GOOD},
                      "rejected": {"from": "gpt", "value": BAD}},
    "an instruction": {"instruction": Q, "input": "", "chosen": GOOD, "rejected": BAD},
    "a question": {"question": Q, "chosen": GOOD, "rejected": BAD},
    "a query and a bad response": {"query": Q, "response": GOOD, "rejected_response": BAD},
    "messages and a bad response": {"messages": [ASK, SAY], "rejected_response": BAD},
    "messages and bad messages": {"messages": [ASK, SAY], "rejected_messages": [ASK, WRONG]},
    "outputs": {"input": {"messages": [ASK], "tools": []}, "preferred_output": [SAY], "non_preferred_output": [WRONG]},
    "two lists of messages": {"chosen_messages": [ASK, SAY], "rejected_messages": [ASK, WRONG]},
    "json text": {"prompt": Q, "chosen": '[{"role": "assistant", "content": "Nine metres."}]', "rejected": "[]"},
    "marked good": {"prompt": Q, "completion": GOOD, "label": True},
    "messages marked good": {"messages": [ASK, SAY], "label": True},
}  # fmt: skip


def refused(row: Row, **keys: Any) -> RowError:
    with pytest.raises(RowError) as caught:
        Reading(**keys).parse(row)
    return caught.value


@pytest.mark.parametrize("name", WRITTEN)
def test_a_preference_row_is_rejected_as_what_it_is(name: str) -> None:
    error = refused(WRITTEN[name])
    assert error.code == "preference-row"
    assert error.hint.startswith("preference: chosen trains the good answer, ")


@pytest.mark.parametrize("name", WRITTEN)
def test_the_chosen_answer_can_be_trained_and_the_bad_one_never_is(name: str) -> None:
    conversation = Reading(chosen=True).parse(WRITTEN[name])
    assert [(each.role, each.fields["content"], each.weight) for each in conversation.messages] == [
        ("user", Q, 1),
        ("assistant", GOOD, 1),
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [*EARLIER, ASK, SAY], "rejected_response": BAD},
        {"messages": [*EARLIER, ASK, SAY], "label": True},
        {"messages": [*EARLIER, ASK], "chosen": SAY, "rejected": WRONG},
        {"chosen": [*EARLIER, ASK, SAY], "rejected": [*EARLIER, ASK, WRONG]},
        {"prompt": [*EARLIER, ASK], "chosen": [SAY], "rejected": [WRONG]},
    ],
)
def test_what_stands_before_the_chosen_answer_is_context(row: Row) -> None:
    conversation = Reading(chosen=True).parse(row)
    assert [each.weight for each in conversation.messages if each.role == "assistant"] == [0, 1]


def test_an_answer_that_is_marked_bad_is_left_out() -> None:
    for row in ({"prompt": Q, "completion": BAD, "label": False}, {"messages": [ASK, WRONG], "label": False}):
        assert refused(row).code == "preference-row"
        assert refused(row, chosen=True).code == "marked-bad"
        assert Reading(ignore=("label",)).parse(row).messages[1].in_loss


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": GOOD, "rejected": BAD},
        {"prompt": Q, "rejected": BAD},
        {"prompt": Q, "chosen": 3, "rejected": BAD},
        {"prompt": "Another question.", "chosen": [ASK, SAY], "rejected": [ASK, WRONG]},
    ],
)
def test_a_row_without_a_chosen_answer_to_a_question_is_rejected_either_way(row: Row) -> None:
    error = refused(row)
    assert error.code == "preference-row"
    assert "this one has none" in error.hint
    assert refused(row, chosen=True).code in {"preference-row", "missing-field", "no-messages"}


def test_scores_of_the_two_answers_are_named() -> None:
    row = {"prompt": Q, "chosen": GOOD, "rejected": BAD, "chosen_score": 9.0, "rejected_score": 2.0}
    assert Reading(chosen=True).parse(row).account.unread == ("chosen_score", "rejected_score")
