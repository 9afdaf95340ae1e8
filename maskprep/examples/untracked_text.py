"""Text of a row that a rendering does not tell from the template's own: an assistant's name, template variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate

_NEUTRAL = "0"  # a name that is a piece of no control token


def strings_of(conversation: Conversation, messages: Collection[int] | None) -> Iterator[str]:
    """Yield all texts and numbers of some messages; None: of all of them, and of tools and documents."""
    for index, message in enumerate(conversation.messages):
        if messages is None or index in messages:
            yield from _deep({name: value for name, value in message.fields.items() if name != "role"})
    if messages is None:
        yield from _deep([conversation.tools, conversation.documents])


def forged_unseen(
    template: ChatTemplate, conversation: Conversation, contents: Sequence[str]
) -> tuple[str, str] | None:
    """Return where such text makes a control token, and which; None where it does not.

    Args:
        template: the chat template.
        conversation: the row.
        contents: what the control tokens spell.
    """
    for value in _deep(conversation.template_kwargs or {}):
        spelt = next((content for content in contents if content in value), None)
        if spelt is not None:
            return "chat_template_kwargs", spelt
    for index, message in enumerate(conversation.messages):
        name = message.fields.get("name")
        if message.role != "assistant" or not isinstance(name, str) or not name:
            continue
        spelt = next((content for content in contents if content in name), None) or _pieced(
            template, conversation, index, [content for content in contents if name in content]
        )
        if spelt is not None:
            return f"messages[{index}].name", spelt
    return None


def _pieced(template: ChatTemplate, conversation: Conversation, index: int, contents: Sequence[str]) -> str | None:
    """Return which of these tokens there are more of than there would be with a neutral name."""
    if not contents:
        return None
    messages = list(conversation.messages)
    messages[index] = Message({**messages[index].fields, "name": _NEUTRAL})
    neutral = replace(conversation, messages=tuple(messages))
    try:
        here, there = (template.plain(row, len(messages), generation_prompt=False) for row in (conversation, neutral))
    except RowError:
        return contents[0]
    return next((content for content in contents if here.count(content) > there.count(content)), None)


def _deep(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _deep(key)
            yield from _deep(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _deep(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
