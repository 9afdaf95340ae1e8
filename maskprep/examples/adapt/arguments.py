"""The arguments of tool calls in one form, whatever form the template seems to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskprep.conversation import Conversation, Finding, Message
from maskprep.examples.adapt.joining import with_calls
from maskprep.policy import Arguments
from maskprep.template.turns.tool_arguments import with_text_arguments


def change_arguments(conversation: Conversation, form: Arguments) -> Conversation:
    """Return the conversation with the arguments of its calls as objects, or as JSON text.

    Text that is no JSON of an object stays text.
    """
    change = with_text_arguments if form == Arguments.TEXT else _with_objects
    messages = tuple(map(change, conversation.messages))
    if messages == conversation.messages:
        return conversation
    finding = Finding("arguments-changed", f"the arguments of tool calls were given to the template as {form}")
    return replace(conversation, messages=messages, findings=(*conversation.findings, finding))


def _with_objects(message: Message) -> Message:
    calls = message.fields.get("tool_calls")
    return with_calls(message, list(map(_call, calls))) if calls else message


def _call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(call.get("function"), dict):
        return {**call, "function": _call(call["function"])}
    arguments = call.get("arguments")
    if not isinstance(arguments, str):
        return call
    try:
        read = json.loads(arguments)
    except (ValueError, RecursionError):
        return call
    return {**call, "arguments": read} if isinstance(read, dict) else call
