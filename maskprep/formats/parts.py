"""Content that is a list of parts: text, reasoning and tool calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.formats.tool_calls import read_call_text
from maskprep.formats.wording import kind, quote

_TEXT = frozenset({"text", "input_text", "output_text"})
_REASONING = frozenset({"reasoning", "thinking"})
_CALL = frozenset({"tool_call", "tool_calls", "function_call", "function"})
_MEDIA = ("image", "audio", "video", "file")  # as such, or within image_url, input_audio …

_PARTS_HINT = "Give the content as a string, or as a list of parts of the types text, reasoning and tool_call."


@dataclass(slots=True)
class Parts:
    """What a list of parts comes to: texts by what they are, and tool calls."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


def read_parts(parts: list[Any], at: str, role: str, findings: list[Finding]) -> Parts:
    """Read the parts of the content ``at`` a place; reasoning and calls are the assistant's alone.

    Adds ``parts-reordered`` where the text that a template puts last does not come last. Raises RowError
    ``media-part``, ``unsupported-part`` or ``bad-tool-call``.
    """
    read = Parts()
    ranks: list[int] = []
    for index, part in enumerate(parts):
        ranks.append(_read_part(part, f"{at}[{index}]", role, read, findings))
    for name, texts in (("text", read.content), ("reasoning", read.reasoning)):
        if len(texts) > 1:
            detail = f"{at}: {len(texts)} {name} parts joined by a newline"
            findings.append(Finding("text-parts-joined", detail))
    if ranks != sorted(ranks):
        detail = f"{at}: its parts became reasoning, text and tool calls, in this order"
        findings.append(Finding("parts-reordered", detail))
    return read


def _read_part(part: object, at: str, role: str, read: Parts, findings: list[Finding]) -> int:
    """Add one part to ``read``; return where its kind stands within a turn."""
    if isinstance(part, str):
        read.content.append(part)
        return 1
    if not isinstance(part, dict):
        raise RowError("unsupported-part", f"{at} is {kind(part)}, not a part", _PARTS_HINT)
    name = part.get("type")
    if not isinstance(name, str):
        raise RowError("unsupported-part", f"{at} is a part without a type", _PARTS_HINT)
    if name in _TEXT:
        read.content.append(_text(part, ("text", "value"), at))
        return 1
    if name in _REASONING or name in _CALL:
        if role != "assistant":
            message = f"{at} is a part of the type {quote(name)} in a message of the role {role}"
            raise RowError("unsupported-part", message, "Only an assistant thinks and calls tools.")
        if name in _REASONING:
            read.reasoning.append(_text(part, (name, "text", "value"), at))
            return 0
        read.tool_calls += read_call_text(_call(part), at, findings)
        return 2
    if any(medium in name for medium in _MEDIA):
        hint = "Rows with images, sound or files cannot be prepared: take them out."
        raise RowError("media-part", f"{at} is a part of the type {quote(name)}; only text is supported", hint)
    message = f"{at} is a part of the type {quote(name)}, which is not supported"
    raise RowError("unsupported-part", message, _PARTS_HINT)


def _text(part: dict[str, Any], keys: tuple[str, ...], at: str) -> str:
    key = next((key for key in keys if part.get(key) is not None), keys[0])
    text = part.get(key)
    if not isinstance(text, str):
        message = f"{at}.{key}, of a part of the type {quote(part['type'])}, is {kind(text)}"
        raise RowError("unsupported-part", message, _PARTS_HINT)
    return text


def _call(part: dict[str, Any]) -> object:
    """Find the call in a part: under ``value``, ``text`` or its type's name; else the part itself is the call."""
    if isinstance(part.get("function"), dict):
        return part if part["type"] == "function" else {**part, "type": "function"}
    return next((part[key] for key in ("value", "text", part["type"]) if part.get(key) is not None), part)
