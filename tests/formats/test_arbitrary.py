"""Whatever a row holds, it becomes a conversation or is rejected with a reason."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError, UsageError
from maskprep.formats import Reading, detect
from maskprep.formats.names import CALL, MESSAGE_FIELDS
from maskprep.formats.registry import ROW_FIELDS, ROW_FORMATS
from maskprep.policy import ROLES

WORDS = st.sampled_from(
    ["user", "gpt", "tool", CALL, "text", "image", '{"name": "f"}', "[]", "[1]", '{"a": null}', "", "é😀"]
)
LEAF = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from([0.5, -1.0, 1e308, 10**400]) | WORDS
KEYS = st.sampled_from(
    [*MESSAGE_FIELDS, "type", "text", "function", "arguments", "begin", "end", "field", "parameters"]
)


def inside(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=5)


JSON = st.recursive(LEAF, inside, max_leaves=12)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", CALL]), "content": WORDS | JSON},
    optional={key: JSON for key in MESSAGE_FIELDS if key not in {"role", "content", "from", "value"}},
)
ROW = st.dictionaries(st.sampled_from(sorted(ROW_FIELDS)), JSON | st.lists(MESSAGE, max_size=3), max_size=5) | JSON
READING = st.builds(
    Reading,
    format=st.sampled_from(["auto", *ROW_FORMATS]),
    columns=st.dictionaries(st.sampled_from(["messages", "content", "prompt", "role"]), WORDS, max_size=2),
    roles=st.dictionaries(WORDS, st.sampled_from(ROLES), max_size=2),
    drop_nulls=st.booleans(),
    chosen=st.booleans(),
    tags=st.booleans(),
    ignore=st.just(()) | st.tuples(st.sampled_from(sorted(ROW_FIELDS))),
)


@given(row=ROW, reading=READING)
@example(row={"messages": [{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}]}, reading=Reading())
def test_a_row_is_a_conversation_or_rejected(row: Any, reading: Reading) -> None:
    before = copy.deepcopy(row)
    outcome: Conversation | RowError
    try:
        outcome = reading.parse(row)
    except RowError as error:
        outcome = error
    if isinstance(outcome, RowError):
        assert outcome.code
        assert outcome.message.isprintable()
        assert len(outcome.message) < 600
    else:
        check(outcome)
    assert row == before


def check(conversation: Conversation) -> None:
    """See that what later steps rely on holds."""
    assert conversation.messages
    for message in conversation.messages:
        assert list(message.fields)[:2] == ["role", "content"]
        assert message.role in ROLES
        assert 0 <= message.weight < float("inf")
        assert None not in message.fields.values()
        for span in message.ranges:
            assert 0 <= span.start <= span.end <= len(message.fields[span.field])
            assert 0 <= span.weight < float("inf")
        for call in message.fields.get("tool_calls", ()):
            assert isinstance(call["function"]["arguments"], dict | str)
    assert not any(message.prefix for message in conversation.messages[:-1])


@given(rows=st.lists(ROW, max_size=4), reading=READING)
def test_detection_decides_or_names_two_rows(rows: list[Any], reading: Reading) -> None:
    shapes = {reading.format_of(row) for row in rows} - {None}
    try:
        decided = detect([(Where("f", line, 0), row) for line, row in enumerate(rows, 1)], reading).format
    except UsageError:
        assert len(shapes) > 1
    else:
        assert decided == reading.format if reading.format != "auto" else decided in (shapes or {"openai"})
