"""Content that is a list of parts: text, reasoning, tool calls and their results, as APIs of model servers log them.

{"type": "text", "text": …}  {"type": "thinking", …}  {"type": "tool_use", "name": …, "input": …}     Anthropic
{"text": …}  {"reasoningContent": …}  {"toolUse": …}  {"toolResult": …}                               Bedrock
{"text": …, "thought": true}  {"functionCall": …}  {"functionResponse": …}                            Gemini
{"type": "output_text", "text": …}  {"type": "refusal", "refusal": …}                                 OpenAI
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.formats.keys import MEANINGLESS, Speaks, is_switch, says_nothing, speaks_of
from maskprep.formats.row import InputRow, list_of, unread
from maskprep.formats.tool_calls import read_call_text
from maskprep.formats.weights import WEIGHT_KEYS
from maskprep.formats.wording import kind, quote

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text"), "text"),
    **dict.fromkeys(("reasoning", "thinking", "reasoningContent", "thought"), "reasoning"),
    **dict.fromkeys(("tool_call", "tool_calls", "function_call", "function", "functionCall"), "call"),
    **dict.fromkeys(("tool_use", "toolUse", "server_tool_use"), "call"),
    **dict.fromkeys(("tool_result", "toolResult", "functionResponse", "function_response"), "result"),
    "function_call_output": "result",
    **dict.fromkeys(("cachePoint", "cache_point"), "nothing"),
}
"""The kinds of parts, by type, or by the key that parts without a type have."""

_MEDIA = (
    "image",
    "audio",
    "video",
    "file",
    "document",
    "inlinedata",
    "pdf",
)  # as such, or within image_url, input_audio …

_ALONE = ("toolUse", "toolResult", "functionCall", "functionResponse", "function_response")
_RANKS = {"reasoning": 0, "text": 1, "result": 1, "nothing": 1, "call": 2}
_TEXT = frozenset({*_KINDS, "type", "value", "text", "id"})
_KNOWN_OF: Mapping[str, frozenset[str]] = {
    "text": _TEXT,
    "nothing": _TEXT,
    "reasoning": _TEXT | {"summary", "content", "encrypted_content"},
    "result": _TEXT | {"tool_use_id", "toolUseId", "tool_call_id", "call_id", "content", "output", "response", "name"},
}
_PARTS_HINT = "Give the content as a string, or as a list of parts of the types text, reasoning and tool_call."
_MEDIA_HINT = "Rows with images, sound or files cannot be prepared: take them out."


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call: its ``text`` and, where the data has them, the id of the call and the tool's name."""

    text: str
    call_id: str | None = None
    name: str | None = None


@dataclass(slots=True)
class Parts:
    """The content of a list of parts: texts by kind, tool calls, and results of tools.

    ``before`` counts the texts that stood before the first result.
    """

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    results: list[ToolResult] = field(default_factory=list)
    before: int = 0


def read_parts(parts: list[Any], at: str, role: str, row: InputRow) -> Parts:
    """Return the content of a list of parts, which stands ``at`` a place; only an assistant may reason and call.

    Adds ``parts-reordered`` where the text that a template puts last does not come last. Raises RowError
    ``media-part``, ``unsupported-part`` or ``bad-tool-call``.
    """
    read = Parts()
    ranks = [_read_part(part, f"{at}[{index}]", role, read, row) for index, part in enumerate(parts)]
    for name, texts in (("text", read.content), ("reasoning", read.reasoning)):
        if len(texts) > 1 and not read.results:
            detail = f"{at}: {len(texts)} {name} parts joined by a newline"
            row.findings.append(Finding("text-parts-joined", detail))
    if ranks != sorted(ranks) and not read.results:
        detail = f"{at}: its parts became reasoning, text and tool calls, in this order"
        row.findings.append(Finding("parts-reordered", detail))
    return read


def result_text(value: object, at: str) -> str:
    """Return the result of a tool call as text: parts joined, any other value as JSON."""
    parts = isinstance(value, list) and all(isinstance(item, dict) and _is_part(item) for item in value)
    if value is None or isinstance(value, str) or (parts and value):
        return joined_text(value, at)
    return json.dumps(value, ensure_ascii=False)


def _is_part(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("type"), str) or any(key in item for key in (*_KINDS, "json"))


def joined_text(value: object, at: str) -> str:
    """Return the text of a string, of a part, or of a list of parts that hold text alone.

    Raises RowError ``media-part`` or ``unsupported-part``.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(joined_text(item, f"{at}[{index}]") for index, item in enumerate(value))
    if not isinstance(value, dict):
        raise RowError("unsupported-part", f"{at} is {kind(value)}, not text", _PARTS_HINT)
    for key in ("parts", "content"):  # Gemini's system instruction is a message of its own
        if isinstance(value.get(key), list | str):
            return joined_text(value[key], f"{at}.{key}")
    if "json" in value and len(value) == 1:
        return json.dumps(value["json"], ensure_ascii=False)
    name = _name_of(value, at)
    if _KINDS.get(name) != "text":
        raise _refused(name, at)
    return _text(value, (name, "text", "value"), at)


def _read_part(part: object, at: str, role: str, read: Parts, row: InputRow) -> int:
    """Add one part to ``read``; return where its kind stands within a turn."""
    if isinstance(part, str):
        read.content.append(part)
        return _RANKS["text"]
    part, name = _named(part, at)
    what = "reasoning" if part.get("thought") is True else _KINDS.get(name)
    if what in {"reasoning", "call"} and role != "assistant":
        message = f"{at} is a part of the type {quote(name)} in a message of the role {role}"
        raise RowError("unsupported-part", message, "Only an assistant thinks and calls tools.")
    match what:
        case "text":
            read.content.append(_text(part, ("text", "value", name), at))
        case "reasoning":
            read.reasoning.append(_thought(part, name, at))
        case "call":
            read.tool_calls += read_call_text(_call(part, name), at, row.findings)
        case "result":
            if not read.results:
                read.before = len(read.content)
            read.results.append(_result(part, name, at))
        case None:
            raise _refused(name, at)
    if what == "call":  # a mapping that templates read as a whole, but for what is said about it
        part = {
            key: value for key, value in part.items() if key in WEIGHT_KEYS or speaks_of(key, value, in_message=True)
        }
        part.pop("input", None)
    _note(part, at, row, _KNOWN_OF.get(what, frozenset(_KINDS)))
    return _RANKS[what]


def _refused(name: str, at: str) -> RowError:
    if any(medium in name.lower().replace("_", "") for medium in _MEDIA):
        return RowError("media-part", f"{at} is a part of the type {quote(name)}; only text is supported", _MEDIA_HINT)
    message = f"{at} is a part of the type {quote(name)}, which is not supported"
    return RowError("unsupported-part", message, _PARTS_HINT)


def _named(part: object, at: str) -> tuple[dict[str, Any], str]:
    """Return a part and its type. Raises RowError where the value is no part."""
    if not isinstance(part, dict):
        raise RowError("unsupported-part", f"{at} is {kind(part)}, not a part", _PARTS_HINT)
    return part, _name_of(part, at)


def _name_of(part: Mapping[str, Any], at: str) -> str:
    """Return the type of a part, or the key that tells it. Raises RowError."""
    name = part.get("type")
    if isinstance(name, str):
        other = next((key for key in _ALONE if key != name and not says_nothing(part.get(key))), None)
        if other is not None and name not in _ALONE:
            raise RowError("unsupported-part", f"{at} is a part of the type {quote(name)} and has {other}", _PARTS_HINT)
        return name
    told = [key for key, value in part.items() if key in _KINDS and value is not None and not isinstance(value, bool)]
    if len(told) == 1:
        return told[0]
    media = next((key for key in part if any(medium in key.lower() for medium in _MEDIA)), None)
    if media is not None:
        raise _refused(media, at)
    raise RowError("unsupported-part", f"{at} is a part without a type", _PARTS_HINT)


def _note(part: Mapping[str, Any], at: str, row: InputRow, known: frozenset[str]) -> None:
    for key, value in part.items():
        if key in known or key in MEANINGLESS or says_nothing(value):
            continue
        speaks = speaks_of(key, value, in_message=True)
        if speaks is not None or (key in WEIGHT_KEYS and is_switch(value)):
            raise unread(key, value, speaks or Speaks.LOSS, f"{at}.")
        row.note_unread(f"{list_of(at)}[].content[].{key}")


def _text(part: Mapping[str, Any], keys: tuple[str, ...], at: str) -> str:
    key = next((key for key in keys if part.get(key) is not None), keys[0])
    text = part.get(key)
    if not isinstance(text, str):
        shown = quote(part["type"]) if isinstance(part.get("type"), str) else "text"
        message = f"{at}.{key}, of a part of the type {shown}, is {kind(text)}"
        raise RowError("unsupported-part", message, _PARTS_HINT)
    return text


def _thought(part: Mapping[str, Any], name: str, at: str) -> str:
    if name == "reasoningContent":
        inner = part[name]
        inner = inner.get("reasoningText", inner) if isinstance(inner, dict) else inner
        return _text(inner, ("text",), at) if isinstance(inner, dict) else _text(part, (name,), at)
    for key in ("summary", "content"):  # of OpenAI's responses
        if isinstance(part.get(key), list) and part[key]:
            return joined_text(part[key], f"{at}.{key}")
    if part.get("encrypted_content") and not any(part.get(key) for key in (name, "text", "value")):
        raise RowError("unread-field", f"{at} is encrypted: the thought is lost", "Take such rows out.")
    return _text(part, (name if isinstance(part.get(name), str) else "text", "text", "value"), at)


def _call(part: Mapping[str, Any], name: str) -> object:
    """Return the call in a part: under ``value``, ``text`` or its type's name; else the part itself is the call."""
    if name in {"tool_use", "server_tool_use", "toolUse", "functionCall"}:
        own = part[name] if isinstance(part.get(name), dict) else part
        arguments = next((own[key] for key in ("input", "args", "arguments") if own.get(key) is not None), None)
        identity = next((own[key] for key in ("id", "toolUseId") if own.get(key) is not None), None)
        function = {"name": own.get("name"), "arguments": {} if arguments is None else arguments}
        return {**({} if identity is None else {"id": identity}), "type": "function", "function": function}
    if isinstance(part.get("function"), dict):
        return part if part.get("type") == "function" else {**part, "type": "function"}
    return next((part[key] for key in ("value", "text", name) if part.get(key) is not None), part)


def _result(part: Mapping[str, Any], name: str, at: str) -> ToolResult:
    own = part[name] if isinstance(part.get(name), dict) else part
    held = ("content", "output", "response", "value", "text")
    value = next((own[key] for key in held if own.get(key) is not None), "")
    keys = ("tool_use_id", "toolUseId", "call_id", "tool_call_id", "id")
    identity = next((own[key] for key in keys if isinstance(own.get(key), str)), None)
    told = own["name"] if isinstance(own.get("name"), str) else None
    return ToolResult(result_text(value, f"{at}.content"), identity, told)
