"""One message, checked and brought into the form that chat templates expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.names import CALL, MESSAGE_FIELDS, REASONING_KEYS, REASONING_LISTS
from maskprep.formats.parts import Parts, ToolResult, read_parts, result_text
from maskprep.formats.ranges import read_ranges
from maskprep.formats.reasoning import alike, once, read_pieces
from maskprep.formats.row import InputRow
from maskprep.formats.tool_calls import read_call_text, read_tool_calls
from maskprep.formats.weights import DETAIL_KEYS, WEIGHT_KEYS, read_weight
from maskprep.formats.wording import kind, quote

_OURS = frozenset({"role", "content", "refusal", "mask_spans", *REASONING_LISTS, *WEIGHT_KEYS, *DETAIL_KEYS})
"""The keys that never reach the template as they are."""

_KNOWN = frozenset(MESSAGE_FIELDS)
_TEXT_ONLY = "Give the content as a string, or as a list of text parts."


def read_message(raw: object, at: str, row: InputRow, weight: float = 1.0) -> list[Message]:
    """Return one message, normalised, which stands ``at`` a place such as ``messages[3]``; its default is ``weight``.

    Several are returned only where a user message has results of tools among its parts: each becomes a message of its
    own. The fields begin with ``role`` and ``content``, the content is a string, no other field is null, tool calls
    stand under ``tool_calls``, and keys about the loss have become the message's weight, ranges and prefix. Adds to
    the findings of ``row``; raises RowError.
    """
    if not isinstance(raw, dict):
        raise RowError("bad-message", f"{at} must be an object, not {kind(raw)}", 'Give {"role": "…", "content": "…"}.')
    if row.names.columns or row.names.ignore:
        row.note_names(raw, _KNOWN, at)
    message = row.names.message(raw)
    role = row.role(message, at)
    row.note_message(message, _KNOWN, at)
    _refuse_strays(message, role, at)
    given = read_weight(message, at)
    weight = weight if given is None else given
    if role == CALL or (role == "assistant" and message.get("arguments") is not None and not message.get("content")):
        fields, parts = _call_fields(message, at, row), Parts()
    else:
        fields, parts = _fields(message, role, at, row)
    if role == "assistant" and not any(message.get(key) for key in (*DETAIL_KEYS, "mask_spans")):
        once(fields, at, row.findings)
    prefix = fields.get("prefix")
    if isinstance(prefix, bool):
        del fields["prefix"]
    if parts.results:
        if any(message.get(key) for key in (*DETAIL_KEYS, "mask_spans")):
            hint = "Divide it into the results of tools and what the user says."
            raise RowError("bad-range", f"{at} has ranges of characters, and several messages in its parts", hint)
        return _with_results(fields, parts, weight, at)
    return [Message(fields, weight, read_ranges(message, fields, weight, at), prefix is True)]


def _refuse_strays(message: Mapping[str, Any], role: str, at: str) -> None:
    """Refuse a second key for content or role, and a recipient without a channel: their values would be lost."""
    for key, other in (("value", "content"), ("from", "role"), ("arguments", "content")):
        if message.get(key) and message.get(other) and not (key == "arguments" and role not in {"assistant", CALL}):
            hint = f"Keep one of the two, or say ignore: [{key}]."
            raise RowError("bad-message", f"{at} has {key} beside its {other}", hint)
    if message.get("recipient") and not message.get("channel") and role == "assistant":
        hint = "Give the channel as well, or the call as tool_calls."
        raise RowError("bad-message", f"{at} is said to {quote(str(message['recipient']))}, in no channel", hint)


def _fields(message: Mapping[str, Any], role: str, at: str, row: InputRow) -> tuple[dict[str, Any], Parts]:
    fields: dict[str, Any] = {"role": role, "content": ""}
    calls: list[dict[str, Any]] = []
    for key, value in message.items():
        if value is None or key in _OURS:
            continue
        if key in {"tool_calls", "function_call"}:
            found = _calls(key, value, f"{at}.{key}", row)
            if found and role != "assistant":
                text = f"{at}.{key} stands in a message of the role {role}; only an assistant calls tools"
                raise RowError("bad-message", text, "Move the calls to the assistant's message before it.")
            calls += found
        else:
            _check_field(key, value, role, at)
            fields[key] = value
    content = message.get("content")
    if role == "tool" and isinstance(content, dict):
        message = {**message, "content": result_text(content, f"{at}.content")}
        content = message["content"]
    parts = read_parts(content, f"{at}.content", role, row) if isinstance(content, list) else Parts()
    pieces = read_pieces(message, at) if role == "assistant" else []
    if parts.reasoning and pieces and not alike(parts.reasoning, pieces):
        raise RowError(
            "bad-message", f"{at} has one thought in its content and another beside it", "Keep one of the two."
        )
    if parts.reasoning or pieces:
        _add_reasoning(fields, parts.reasoning or pieces, at)
    if role == "assistant":
        _refuse_two_thoughts(fields, at)
    calls += parts.tool_calls
    if calls:
        fields["tool_calls"] = calls
    fields["content"] = "\n".join(parts.content) if isinstance(content, list) else _read_content(message, fields, at)
    return fields, parts


def _calls(key: str, value: object, at: str, row: InputRow) -> list[dict[str, Any]]:
    if key == "tool_calls":
        return read_tool_calls(value, at, row.findings)
    return [] if value in ("", [], {}) else read_call_text(value, at, row.findings)


def _call_fields(message: Mapping[str, Any], at: str, row: InputRow) -> dict[str, Any]:
    """Return the fields of a message whose content is JSON of tool calls, or which has name and arguments of one."""
    rest = {key: value for key, value in message.items() if key not in {"role", "content"}}
    content = message.get("content")
    if isinstance(content, list) and content:
        noticed = len(row.findings)
        parts = read_parts(content, f"{at}.content", "assistant", row)
        if parts.tool_calls or parts.reasoning:
            del row.findings[noticed:]  # they are said again
            return _fields(message, "assistant", at, row)[0]  # its parts say what they are
        content = "\n".join(parts.content)
    beside = content in (None, "", []) and isinstance(message.get("name"), str)
    if beside:
        content = {"name": rest.pop("name"), "arguments": rest.pop("arguments", None)}
    calls = read_call_text(content, at if beside else f"{at}.content", row.findings)
    if not calls:
        raise RowError("bad-tool-call", f"{at}.content holds no tool call", "Leave the message out.")
    fields, _ = _fields({**rest, "content": None}, "assistant", at, row)
    return {**fields, "tool_calls": [*calls, *fields.get("tool_calls", [])]}


def _with_results(fields: Mapping[str, Any], parts: Parts, weight: float, at: str) -> list[Message]:
    """Return the messages that a message with results of tools becomes: a user message, its texts before and behind.

    A tool message of results has no text beside them; an assistant cannot answer its own calls.
    """
    rest = {key: value for key, value in fields.items() if key not in {"role", "content", "tool_call_id", "name"}}
    role = fields["role"]
    if role == "assistant" or (role == "tool" and parts.content) or rest.keys() & {"tool_calls", *REASONING_KEYS}:
        hint = "Divide it into messages: the call, its result as a tool's message, and what follows."
        raise RowError("unsupported-part", f"{at} mixes results of tools with what the {role} says", hint)
    told = {key: fields[key] for key in ("tool_call_id", "name") if key in fields and role == "tool"}
    said = {"name": fields["name"]} if role != "tool" and "name" in fields else {}
    texts = (parts.content[: parts.before], parts.content[parts.before :])
    user = [
        Message({"role": role, "content": "\n".join(each), **said, **rest}, weight) if each else None for each in texts
    ]
    listed = [user[0], *(_result(result, weight, told) for result in parts.results), user[1]]
    return [message for message in listed if message is not None]


def _result(result: ToolResult, weight: float, told: Mapping[str, Any]) -> Message:
    own = {"tool_call_id": result.call_id, "name": result.name}
    given = {**told, **{key: value for key, value in own.items() if value is not None}}
    return Message({"role": "tool", "content": result.text, **given}, weight)


def _add_reasoning(fields: dict[str, Any], texts: list[str], at: str) -> None:
    held = next((key for key in REASONING_KEYS if key in fields), None)
    if held is not None:
        message = f"{at} has its reasoning under {held} and again among the parts of its content"
        raise RowError("bad-message", message, "Keep one of the two.")
    fields["reasoning_content"] = "\n".join(texts)


def _refuse_two_thoughts(fields: Mapping[str, Any], at: str) -> None:
    held = {key: fields[key] for key in REASONING_KEYS if fields.get(key)}
    if len(held) > 1 and any(not alike([text], [next(iter(held.values()))]) for text in held.values()):
        raise RowError("bad-message", f"{at} has different thoughts under {' and '.join(held)}", "Keep one of the two.")


def _check_field(key: str, value: object, role: str, at: str) -> None:
    """Check the type of a field whose meaning is known; any other may hold what it likes."""
    is_string = isinstance(value, str)
    if key == "name" or (key in REASONING_KEYS and role == "assistant"):
        if not is_string:
            raise RowError("bad-message", f"{at}.{key} must be a string, not {kind(value)}", "Make it a string.")
    elif key == "tool_call_id" and not is_string and (isinstance(value, bool) or not isinstance(value, int)):
        message = f"{at}.{key} must be a string or a whole number, not {kind(value)}"
        raise RowError("bad-message", message, "Make it a string.")


def _read_content(message: Mapping[str, Any], fields: Mapping[str, Any], at: str) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content or _refusal(message)
    if content is not None:
        text = f"{at}.content must be a string or a list of parts, not {kind(content)}"
        raise RowError("bad-message", text, _TEXT_ONLY)
    refusal = _refusal(message)
    if refusal and fields["role"] == "assistant":
        return refusal
    speaks_otherwise = "tool_calls" in fields or any(key in fields for key in REASONING_KEYS)
    if fields["role"] == "assistant" and ("content" in message or speaks_otherwise):
        return ""  # some templates print a null as None, others fail on it
    found = "null" if "content" in message else "missing"
    raise RowError("no-content", f"{at}.content is {found}, in a message of the role {fields['role']}", _TEXT_ONLY)


def _refusal(message: Mapping[str, Any]) -> str:
    """Return the words with which a model refused: servers of OpenAI's kind give them instead of a content."""
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""
