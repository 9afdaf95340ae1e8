"""Rows that are nothing but messages that are nothing but text: most are such, and there is nothing to be checked.

    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}

What has any other key, a role by another name, or a tag of tools in its text is read by what knows of all these. A key
that is null says as much as one that is not there: tables give every row the keys of all rows.
"""

from __future__ import annotations

from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.policy import ROLES

_ROLES = frozenset(ROLES)
_PLAIN = 2  # keys of a plain message
_TAG = "<tool"  # what all tags of tools, calls and results begin with


def plain_message(raw: object) -> Message | None:
    """Return a message that has a role by its usual name, a content that is text, and no more; None for any other."""
    if type(raw) is not dict:
        return None
    if len(raw) > _PLAIN:
        raw = _without_nulls(raw)
    if len(raw) != _PLAIN:
        return None
    role: Any = raw.get("role")
    content = raw.get("content")
    if type(content) is not str or type(role) is not str or role not in _ROLES:
        return None
    return Message({"role": role, "content": content})


def plain_conversation(row: object) -> Conversation | None:
    """Return the conversation of a row that holds a list of plain messages and nothing else; None for any other."""
    if type(row) is not dict:
        return None
    if len(row) > 1:
        row = _without_nulls(row)
    if len(row) != 1:
        return None
    raw = row.get("messages")
    if type(raw) is not list or not raw:
        return None
    messages = []
    for each in raw:
        message = plain_message(each)
        if message is None or _TAG in message.fields["content"]:
            return None
        messages.append(message)
    return Conversation(tuple(messages), template_kwargs={})


def _without_nulls(raw: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in raw.items() if value is not None}
