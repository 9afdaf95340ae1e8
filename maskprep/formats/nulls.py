"""Null values in tool arguments and schemas: those that a column type put there, and taking them out.

A struct column of Arrow gives every row the keys of all rows: ``{"a": 1}`` and ``{"b": 2}`` come back as
``{"a": 1, "b": null}`` and ``{"a": null, "b": 2}``, and the model would learn to write them so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from maskprep.conversation import Conversation, Finding, Message

_REPAIR = "as a typed column fills in foreign keys; drop_nulls: true takes them out"


def without_nulls(conversation: Conversation) -> Conversation:
    """Return the conversation without the null values of its tool arguments and schemas; lists keep theirs."""
    tools = None if conversation.tools is None else [_cleaned(tool) for tool in conversation.tools]
    return replace(conversation, tools=tools, messages=tuple(map(_clean_message, conversation.messages)))


def filled_nulls(conversation: Conversation) -> Finding | None:
    """Return the finding for null values that look as if a column type had put them there, None where none do."""
    properties = dict(_schemas(conversation))
    for name, schema in properties.items():
        foreign = [key for key, value in schema.items() if value is None]
        if foreign:
            return Finding("nulls-filled", f"the schema of {name!r:.80} has the null {foreign[0]!r:.80}, {_REPAIR}")
    calls = [call for message in conversation.messages for call in _calls(message)]
    keys = {name: arguments.keys() for name, arguments in calls}
    alike = len(keys) > 1 and all(arguments.keys() == calls[0][1].keys() for _, arguments in calls)
    for name, arguments in calls:
        for key, value in arguments.items():
            if value is None and (alike or (name in properties and key not in properties[name])):
                return Finding("nulls-filled", f"a call of {name!r:.80} has the null {key!r:.80}, {_REPAIR}")
    return None


def _schemas(conversation: Conversation) -> Iterator[tuple[str, dict[str, Any]]]:
    for tool in conversation.tools or ():
        function = tool.get("function")
        parameters = function.get("parameters") if isinstance(function, dict) else None
        properties = parameters.get("properties") if isinstance(parameters, dict) else None
        if isinstance(function, dict) and isinstance(properties, dict):
            yield str(function.get("name")), properties


def _calls(message: Message) -> Iterator[tuple[str, dict[str, Any]]]:
    for call in message.fields.get("tool_calls", ()):
        function = call["function"]
        if isinstance(function["arguments"], dict):
            yield function["name"], function["arguments"]


def _clean_message(message: Message) -> Message:
    calls = message.fields.get("tool_calls")
    if not calls:
        return message
    cleaned = [
        {**call, "function": {**call["function"], "arguments": _cleaned(call["function"]["arguments"])}}
        for call in calls
    ]
    return replace(message, fields={**message.fields, "tool_calls": cleaned})


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items() if item is not None}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value
