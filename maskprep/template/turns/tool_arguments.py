"""The arguments of tool calls in the form that a template reads: an object for most, its JSON text for some.

A template that adds arguments to other text raises on an object, and one that prints them writes Python's notation
(``{'city': 'Oslo'}``), which no server ever sends. Both are tried again with text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered


def with_arguments(template: ChatTemplate, conversation: Conversation) -> tuple[Conversation, Rendered]:
    """Return the conversation with arguments as the template reads them best, and its rendering.

    Raises:
        RowError: as ``ChatTemplate.tracked``; the one for arguments as objects, where neither form can be rendered.
    """
    count = len(conversation.messages)
    try:
        whole = template.tracked(conversation, count, generation_prompt=False)
    except RowError as error:
        if error.code == "template-limit":
            raise
        texts = _rendered_as_text(template, conversation)
        if texts is None:
            # In the words that Python has for the plain conversation, which know nothing of tracked types.
            template.plain(conversation, count, generation_prompt=False)
            raise error from None
        return texts
    if not whole.prints(Part.TOOL_CALL):
        return conversation, whole
    texts = _rendered_as_text(template, conversation)
    if texts is not None:
        return texts
    finding = Finding("python-notation", "the template prints parts of tool calls in Python's notation, not as JSON")
    return replace(conversation, findings=(*conversation.findings, finding)), whole


def _rendered_as_text(template: ChatTemplate, conversation: Conversation) -> tuple[Conversation, Rendered] | None:
    """Return the conversation with all arguments as JSON text and its rendering, None where that does not help.

    It helps where each of the texts stands whole in the rendering: a template that walks through an object would walk
    through the characters of a text instead.
    """
    texts = _as_text(conversation)
    if texts is None:
        return None
    try:
        whole = template.tracked(texts, len(texts.messages), generation_prompt=False)
    except RowError:
        return None
    return (texts, whole) if all(text in whole.text for text in _arguments(texts)) else None


def _arguments(conversation: Conversation) -> Iterator[str]:
    """Yield the arguments of a conversation's tool calls that are texts."""
    for message in conversation.messages:
        for call in message.fields.get("tool_calls") or ():
            text = (call["function"] if isinstance(call.get("function"), dict) else call).get("arguments")
            if isinstance(text, str):
                yield text


def _as_text(conversation: Conversation) -> Conversation | None:
    """Return the conversation with all arguments as JSON text, None where there are none."""
    messages = tuple(map(with_text_arguments, conversation.messages))
    if messages == conversation.messages:
        return None
    finding = Finding("arguments-as-text", "the template reads the arguments of tool calls as text, not as objects")
    return replace(conversation, messages=messages, findings=(*conversation.findings, finding))


def with_text_arguments(message: Message) -> Message:
    """Return the message with the arguments of its calls as JSON text."""
    calls = message.fields.get("tool_calls")
    if not calls:
        return message
    return replace(message, fields={**message.fields, "tool_calls": [_call(call) for call in calls]})


def _call(call: dict[str, Any]) -> dict[str, Any]:
    if isinstance(call.get("function"), dict):
        return {**call, "function": _call(call["function"])}
    arguments = call.get("arguments")
    return {**call, "arguments": json.dumps(arguments, ensure_ascii=False)} if isinstance(arguments, dict) else call
