"""What the data says about the loss: weights, ranges of characters, and a given prefix."""

from __future__ import annotations

from typing import Any

import pytest

from maskprep.conversation import Message, Range
from maskprep.errors import RowError
from maskprep.formats import DEFAULT

ASK = {"role": "user", "content": "2+2?"}
TEXT = "It's 4 😀 now"
"""Twelve characters, fewer than its UTF-16 units and bytes."""


def answer(row: dict[str, Any] | None = None, **keys: object) -> Message:
    """Return the assistant's message, which has the given keys."""
    said = {"role": "assistant", "content": TEXT, **keys}
    message = DEFAULT.parse({"messages": [ASK, said], **(row or {})}).messages[1]
    plain = {key: value for key, value in said.items() if key in {"role", "content", "reasoning", "tool_calls"}}
    assert message.fields == plain  # nothing of what is said about the loss reaches the template
    return message


def refused(row: dict[str, Any] | None = None, **keys: object) -> RowError:
    with pytest.raises(RowError) as caught:
        answer(row, **keys)
    assert caught.value.hint
    assert len(caught.value.message) < 300
    return caught.value


@pytest.mark.parametrize("key", ["weight", "train", "training", "loss_weight"])
@pytest.mark.parametrize(
    ("value", "weight"),
    [(0, 0), (False, 0), (-0.0, 0), (1, 1), (True, 1), (0.25, 0.25), (2, 2), (3.5, 3.5), (None, 1)],
)
def test_a_message_counts_what_it_says(key: str, value: object, weight: float) -> None:
    message = answer(**{key: value})
    assert message.weight == weight
    assert isinstance(message.weight, float)
    assert repr(message.weight)[0] != "-"
    assert message.in_loss is (weight > 0)
    assert message.ranges == ()


@pytest.mark.parametrize(
    "value", [-1, -0.5, float("inf"), float("nan"), 10**400, -(10**400), "heavy", {}], ids=lambda value: str(value)[:9]
)
def test_a_bad_weight_is_refused(value: object) -> None:
    error = refused(weight=value)
    assert error.code == "bad-weight"
    assert error.message.startswith("messages[1].weight must be true, false or a finite number of 0 or more, not ")


def test_weights_may_agree_but_not_disagree() -> None:
    assert answer(weight=0, train=False, training=None).weight == 0
    assert answer(weight=0.5, train=True, loss_weight=0.5).weight == 0.5
    for keys in ({"weight": 1, "train": False}, {"weight": 0, "loss_weight": 0.5}, {"weight": 0.5, "loss_weight": 2}):
        error = refused(**keys)
        assert error.code == "bad-weight"
        assert f"{' and '.join(keys)} disagree" in error.message


def test_a_weight_of_the_row_multiplies() -> None:
    row = {"messages": [{**ASK, "weight": 0}, {"role": "assistant", "content": "4", "weight": 0.5}], "weight": 3}
    conversation = DEFAULT.parse(row)
    assert [message.weight for message in conversation.messages] == [0, 1.5]
    assert [finding.code for finding in conversation.findings] == ["row-weight"]
    for plain in ({"weight": 1}, {"weight": None}, {"weight": "3 kg"}, {"loss_weight": True}, {"weight": "1.0"}):
        assert answer(plain).weight == 1
    assert answer({"weight": "0.5"}).weight == answer(weight="0.5").weight == 0.5
    assert answer({"loss_weight": 0.5}, training_detail=[{"begin": 0, "end": 1, "train": 2}]).ranges == (
        Range("content", 0, 12, 0),
        Range("content", 0, 1, 1),
    )
    for bad in ({"weight": -1}, {"weight": 1e300, "loss_weight": 1}, {"weight": 1e300}):
        assert refused(bad, weight=1e300).code == "bad-weight"


@pytest.mark.parametrize(
    ("detail", "span"),
    [
        ({"begin": 5, "end": 8, "train": True}, (5, 8, 0.5)),
        ({"begin": 5, "end": 8, "train": False}, (5, 8, 0)),
        ({"start": 5, "end": 12, "train": 1}, (5, 12, 0.5)),
        ({"begin": 5, "end": 5, "weight": 3}, (5, 5, 1.5)),
        ({"begin_offset": 5, "end_offset": 7, "train": True}, (5, 8, 0.5)),
        ({"begin_offset": 0, "end_offset": 11, "train": True, "field": None}, (0, 12, 0.5)),
    ],
)
@pytest.mark.parametrize("key", ["training_detail", "train_detail"])
def test_a_detail_trains_what_it_names_and_no_more(key: str, detail: object, span: tuple[int, int, float]) -> None:
    message = answer(weight=0.5, **{key: [detail]})
    assert message.ranges == (Range("content", 0, 12, 0), Range("content", *span))
    assert message.weight == 0.5


def test_a_detail_that_names_nothing_trains_nothing_of_the_text() -> None:
    assert answer(training_detail=[]).ranges == (Range("content", 0, 12, 0),)
    assert answer(training_detail=None).ranges == ()


@pytest.mark.parametrize("span", [[2, 4], {"start": 2, "end": 4}, {"begin": 2, "end": 4, "train": "?"}])
def test_a_masked_span_masks_itself_alone(span: object) -> None:
    assert answer(mask_spans=[span, [0, 0]]).ranges == (Range("content", 2, 4, 0), Range("content", 0, 0, 0))
    both = answer(mask_spans=[span], training_detail=[{"begin": 0, "end": 9, "train": True}]).ranges
    assert both == (Range("content", 0, 12, 0), Range("content", 0, 9, 1), Range("content", 2, 4, 0))
    assert answer(mask_spans=[]).ranges == ()


def test_a_range_may_lie_in_the_reasoning() -> None:
    span = {"begin": 1, "end": 3, "field": "reasoning_content"}
    message = answer(reasoning="hmm", mask_spans=[span], training_detail=[{**span, "train": True}])
    assert message.ranges == (Range("reasoning", 0, 3, 0), Range("reasoning", 1, 3, 1), Range("reasoning", 1, 3, 0))
    assert refused(mask_spans=[span]).code == "bad-range"
    assert "'role', which is no text field" in refused(mask_spans=[{**span, "field": "role"}]).message


def test_offsets_count_in_the_joined_text() -> None:
    parts = [{"type": "text", "text": "ab"}, {"type": "text", "text": "cd"}]
    row = {"messages": [ASK, {"role": "assistant", "content": parts, "mask_spans": [[3, 5]]}]}
    message = DEFAULT.parse(row).messages[1]
    assert message.fields["content"][3:5] == "cd"
    assert message.ranges == (Range("content", 3, 5, 0),)


@pytest.mark.parametrize(
    "spans",
    [
        *([[0, 13]], [[-1, 2]], [[3, 2]], [[0, 1.0]], [[False, 1]], [["0", 1]], [[0]], [[0, 1, 2]], [3], [None], {}),
        *("x", [{}], [{"begin": 0}], [{"begin": 0, "end": None}], [{"begin_offset": 0, "end_offset": 12}]),
        *([{"begin": 0, "end": 1, "field": 3}], [[10**30, 10**31]]),
    ],
)
def test_a_bad_range_is_refused(spans: object) -> None:
    assert refused(mask_spans=spans).code == "bad-range"
    if isinstance(spans, list) and spans != [3] and isinstance(spans[0], dict):
        spans = [{**spans[0], "train": True}]
    error = refused(train_detail=spans)
    assert error.code == "bad-range"
    assert error.message.startswith("messages[1].train_detail")


def test_a_detail_must_say_whether_it_is_trained() -> None:
    assert "does not say whether" in refused(training_detail=[{"begin": 0, "end": 1}]).message
    assert refused(training_detail=[{"begin": 0, "end": 1, "train": "maybe"}]).code == "bad-weight"


def test_a_prefix_is_the_end_of_the_conversation() -> None:
    assert answer(prefix=True).prefix is True
    assert answer(prefix=False).prefix is False
    assert answer(prefix=None).prefix is False
    said = {"role": "assistant", "content": "4", "prefix": True}
    called = {"role": "function_call", "content": '{"name": "f"}'}
    for messages in (
        [ASK, said, ASK],
        [ASK, said, called],
        [{**ASK, "prefix": True}],
        [ASK, said, {**said, "prefix": False}],
    ):
        with pytest.raises(RowError) as caught:
            DEFAULT.parse({"messages": messages})
        assert caught.value.code == "bad-prefix"
    named = DEFAULT.parse({"messages": [ASK, {**said, "prefix": "Dr"}]}).messages[1]
    assert (named.prefix, named.fields["prefix"]) == (False, "Dr")  # a field of the data's own
