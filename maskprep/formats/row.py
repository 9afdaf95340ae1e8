"""What rows of all shapes have beside their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import RESERVED_KWARGS, Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import check_prefix
from maskprep.formats.tools import read_objects, read_tools
from maskprep.formats.weights import as_weight, read_weight
from maskprep.formats.wording import kind

_MEDIA = ("image", "images", "video", "videos", "audio", "audios")
_PLACES = ("<image>", "<video>", "<audio>")


def finish(row: Mapping[str, Any], messages: Sequence[Message], findings: list[Finding]) -> Conversation:
    """Make a conversation of a row's messages and of its system prompt, tools, documents, variables and weight."""
    listed = _with_system(row, list(messages))
    check_prefix(listed, "the row")
    _check_media(row, listed)
    return Conversation(
        messages=tuple(_weighted(row, listed, findings)),
        tools=read_tools(row),
        documents=read_objects(row.get("documents"), "documents", "bad-documents"),
        template_kwargs=_read_kwargs(row.get("chat_template_kwargs")),
        findings=tuple(findings),
    )


def _with_system(row: Mapping[str, Any], messages: list[Message]) -> list[Message]:
    system = row.get("system")
    if system is None or system == "":
        return messages
    if not isinstance(system, str):
        raise RowError("bad-message", f"system must be a string, not {kind(system)}", "Give the system prompt as text.")
    if messages and messages[0].role == "system":
        if messages[0].fields["content"] == system:
            return messages
        text = "the row has a system prompt, and its first message is another one"
        raise RowError("bad-message", text, "Keep one of the two.")
    return [Message({"role": "system", "content": system}), *messages]


def _check_media(row: Mapping[str, Any], messages: Sequence[Message]) -> None:
    """Refuse text that stands around pictures or sound: without them it means something else."""
    media = [key for key in _MEDIA if row.get(key)]
    if media and any(place in message.fields["content"] for message in messages for place in _PLACES):
        text = f"the row has {', '.join(media)}, and its text the places for it; only text is supported"
        raise RowError("media-part", text, "Rows with images or sound cannot be prepared: take them out.")


def _weighted(row: Mapping[str, Any], messages: Sequence[Message], findings: list[Finding]) -> Sequence[Message]:
    """Multiply the weights of all messages by that of the row, where it has a number for one."""
    given = {key: row[key] for key in ("weight", "loss_weight") if isinstance(row.get(key), (int, float))}
    factor = read_weight(given, "the row")
    if factor is None or factor == 1:
        return messages
    findings.append(Finding("row-weight", f"the row's weight of {factor:g} multiplies those of its messages"))
    return [
        replace(
            message,
            weight=as_weight(message.weight * factor, "the weight of a message, times that of its row,"),
            ranges=tuple(replace(span, weight=as_weight(span.weight * factor, "a range")) for span in message.ranges),
        )
        for message in messages
    ]


def _read_kwargs(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"chat_template_kwargs must be an object, not {kind(value)}"
        raise RowError("bad-kwargs", message, 'Give it as an object, for example {"enable_thinking": false}.')
    reserved = sorted(RESERVED_KWARGS.intersection(value))
    if reserved:
        message = f"chat_template_kwargs may not set {', '.join(reserved)}"
        raise RowError("reserved-kwarg", message, "Remove it: the tokenizer and maskprep set these themselves.")
    return value
