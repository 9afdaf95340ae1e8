"""One message, checked and brought into the form that chat templates expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import ROLES, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.names import CALL, DETAIL_KEYS, REASONING_KEYS, WEIGHT_KEYS, Names
from maskprep.formats.parts import Parts, read_parts
from maskprep.formats.ranges import read_ranges
from maskprep.formats.tool_calls import read_call_text, read_tool_calls
from maskprep.formats.weights import read_weight
from maskprep.formats.wording import kind

_OURS = frozenset({"role", "content", "mask_spans", *WEIGHT_KEYS, *DETAIL_KEYS})
"""The keys that never reach the template as they are."""

_TEXT_ONLY = "Give the content as a string, or as a list of text parts."


def read_message(raw: object, at: str, findings: list[Finding], names: Names, weight: float = 1.0) -> Message:
    """Normalise one message, which stands ``at`` a place such as ``messages[3]`` and counts ``weight`` by default.

    The fields begin with ``role`` and ``content``, the content is a string, no other field is null, tool calls stand
    under ``tool_calls``, and what is said about the loss has become the message's weight, ranges and prefix. Adds to
    ``findings``; raises RowError.
    """
    if not isinstance(raw, dict):
        raise RowError("bad-message", f"{at} must be an object, not {kind(raw)}", 'Give {"role": "…", "content": "…"}.')
    message = names.message(raw)
    role = names.role(message, at)
    given = read_weight(message, at)
    weight = weight if given is None else given
    fields = _call_fields(message, at, findings) if role == CALL else _fields(message, role, at, findings)
    prefix = fields.get("prefix")
    if isinstance(prefix, bool):
        del fields["prefix"]
    return Message(fields, weight, read_ranges(message, fields, weight, at), prefix is True)


def plain_message(raw: object, names: Names, weights: tuple[float, float]) -> Message | None:
    """Return a message that has a role by its usual name, a content that is text, and no more; None for any other.

    Most messages are such, and there is nothing to be checked.
    """
    if type(raw) is not dict or len(raw) != 2 or names.columns or names.roles:  # noqa: PLR2004
        return None
    role, content = raw.get("role"), raw.get("content")
    if type(content) is not str or role not in ROLES:
        return None
    return Message({"role": role, "content": content}, weights[0] if role == "assistant" else weights[1])


def _fields(message: Mapping[str, Any], role: str, at: str, findings: list[Finding]) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": role, "content": ""}
    calls: list[dict[str, Any]] = []
    for key, value in message.items():
        if value is None or key in _OURS:
            continue
        if key in {"tool_calls", "function_call"} and value != [] and role != "assistant":
            text = f"{at}.{key} stands in a message of the role {role}; only an assistant calls tools"
            raise RowError("bad-message", text, "Move the calls to the assistant's message before it.")
        if key == "tool_calls":
            calls += read_tool_calls(value, f"{at}.tool_calls", findings)
        elif key == "function_call":
            calls += read_call_text(value, f"{at}.function_call", findings)
        else:
            _check_field(key, value, role, at)
            fields[key] = value
    content = message.get("content")
    parts = read_parts(content, f"{at}.content", role, findings) if isinstance(content, list) else Parts()
    if parts.reasoning:
        _add_reasoning(fields, parts.reasoning, at)
    calls += parts.tool_calls
    if calls:
        fields["tool_calls"] = calls
    fields["content"] = "\n".join(parts.content) if isinstance(content, list) else _read_content(message, fields, at)
    return fields


def _call_fields(message: Mapping[str, Any], at: str, findings: list[Finding]) -> dict[str, Any]:
    """Read a message whose content is the JSON of tool calls."""
    rest = {key: value for key, value in message.items() if key not in {"role", "content"}}
    content = message.get("content")
    if isinstance(content, list) and content:
        noticed: list[Finding] = []
        parts = read_parts(content, f"{at}.content", "assistant", noticed)
        if parts.tool_calls or parts.reasoning:
            return _fields(message, "assistant", at, findings)  # its parts say what they are
        findings += noticed
        content = "\n".join(parts.content)
    calls = read_call_text(content, f"{at}.content", findings)
    if not calls:
        raise RowError("bad-tool-call", f"{at}.content holds no tool call", "Leave the message out.")
    fields = _fields({**rest, "content": None}, "assistant", at, findings)
    return {**fields, "tool_calls": [*calls, *fields.get("tool_calls", [])]}


def _add_reasoning(fields: dict[str, Any], texts: list[str], at: str) -> None:
    held = next((key for key in REASONING_KEYS if key in fields), None)
    if held is not None:
        message = f"{at} has its reasoning under {held} and again among the parts of its content"
        raise RowError("bad-message", message, "Keep one of the two.")
    fields["reasoning_content"] = "\n".join(texts)


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
        return content
    if content is not None:
        text = f"{at}.content must be a string or a list of parts, not {kind(content)}"
        raise RowError("bad-message", text, _TEXT_ONLY)
    speaks_otherwise = "tool_calls" in fields or any(key in fields for key in REASONING_KEYS)
    if fields["role"] == "assistant" and ("content" in message or speaks_otherwise):
        return ""  # some templates print a null as None, others fail on it
    found = "null" if "content" in message else "missing"
    raise RowError("no-content", f"{at}.content is {found}, in a message of the role {fields['role']}", _TEXT_ONLY)
