"""Null values that a column type put into tool arguments and schemas."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from maskprep.conversation import Conversation
from maskprep.formats import DEFAULT, Reading


def row(*calls: tuple[str, Any], tools: list[Any] | None = None) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "x", "name": None}]
    for name, arguments in calls:
        called = [{"type": "function", "function": {"name": name, "arguments": arguments}}]
        messages += [{"role": "assistant", "content": None, "tool_calls": called}, {"role": "tool", "content": "1"}]
    return {"messages": messages, "tools": tools}


def tool(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [None, "a"]}
    return {"type": "function", "function": {"name": name, "description": None, "parameters": parameters}}


def arguments(conversation: Conversation) -> list[Any]:
    calls = [call for message in conversation.messages for call in message.fields.get("tool_calls", [])]
    return [call["function"]["arguments"] for call in calls]


FILLED = row(
    ("f", {"a": 1, "b": None, "c": None}), ("g", {"a": None, "b": {"x": None, "y": [None, {"z": None}]}, "c": 3})
)


def test_nulls_are_kept_unless_they_are_to_be_dropped() -> None:
    before = copy.deepcopy(FILLED)
    assert arguments(DEFAULT.parse(FILLED))[0] == {"a": 1, "b": None, "c": None}
    dropped = Reading(drop_nulls=True).parse(FILLED)
    assert arguments(dropped) == [{"a": 1}, {"b": {"y": [None, {}]}, "c": 3}]
    assert dropped.findings == ()
    assert before == FILLED


def test_nulls_of_schemas_are_dropped() -> None:
    given = row(tools=[tool("f", {"a": {"type": "string", "enum": None}, "b": None})])
    (cleaned,) = Reading(drop_nulls=True).parse(given).tools or []
    parameters = {"type": "object", "properties": {"a": {"type": "string"}}, "required": [None, "a"]}
    assert cleaned == {"type": "function", "function": {"name": "f", "parameters": parameters}}


A, B = {"type": "string"}, {"type": "number"}


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        (FILLED, True),
        (row(("f", {"a": 1, "b": None}), tools=[tool("f", {"a": A})]), True),
        (row(tools=[tool("f", {"a": A, "b": None}), tool("g", {"a": None, "b": B})]), True),
        (row(("f", {"a": 1, "b": None}), tools=[tool("f", {"a": A, "b": B})]), False),
        (row(("f", {"a": 1, "b": None})), False),
        (row(("f", {"a": 1, "b": None}), ("f", {"a": None, "b": 2})), False),
        (row(("f", {"a": 1}), ("g", {"b": None})), False),
        (row(("f", {"a": 1}), ("g", {"a": 2})), False),
        (row(("f", "not JSON"), ("g", {})), False),
        (row(tools=[tool("f", {"a": {"default": None}})]), False),
        (row(tools=[{"function": 3}, {"parameters": []}]), False),
    ],
)
def test_nulls_that_no_one_wrote_are_noticed(given: dict[str, Any], filled: bool) -> None:
    noticed = [finding for finding in DEFAULT.parse(given).findings if finding.code == "nulls-filled"]
    assert len(noticed) == filled
    assert all("drop_nulls" in finding.detail and finding.detail.isprintable() for finding in noticed)
