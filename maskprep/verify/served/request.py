"""A conversation as a client would send it to a server that speaks OpenAI's chat protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.examples.chats import Chat


def body_of(chat: Chat, upto: int, model: str | None) -> dict[str, Any]:
    """Return the request for the turn behind the first ``upto`` messages of a conversation.

    Args:
        chat: the conversation.
        upto: how many of its messages precede the turn.
        model: the name under which the server knows its model, None where it needs none.
    """
    body: dict[str, Any] = {"messages": messages_of(chat.messages[:upto])}
    if model is not None:
        body["model"] = model
    if chat.tools:
        body["tools"] = [_wrapped(tool) for tool in chat.tools]
    if chat.variables:
        body["chat_template_kwargs"] = dict(chat.variables)
    if chat.documents:
        body["documents"] = chat.documents
    return body


def messages_of(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return normalised messages in the protocol's form: arguments as JSON text, and an id for each call."""
    sent: list[dict[str, Any]] = []
    waiting: list[str] = []
    for message in messages:
        own = dict(message)
        if calls := own.get("tool_calls"):
            own["tool_calls"] = [_call(call, f"call_{len(sent)}_{number}") for number, call in enumerate(calls)]
            own.setdefault("content", "")
            waiting = [call["id"] for call in own["tool_calls"]]
        if own.get("role") == "tool" and "tool_call_id" not in own:
            own["tool_call_id"] = waiting.pop(0) if waiting else "call"
        sent.append(own)
    return sent


def _call(call: Mapping[str, Any], made_up: str) -> dict[str, Any]:
    function = dict(call["function"])
    if not isinstance(function.get("arguments"), str):
        function["arguments"] = json.dumps(function.get("arguments") or {}, ensure_ascii=False)
    return {"id": made_up, "type": "function", **call, "function": function}


def _wrapped(tool: Any) -> Any:
    is_bare = isinstance(tool, Mapping) and "function" not in tool and "name" in tool
    return {"type": "function", "function": tool} if is_bare else tool
