"""One message of the OpenAI shape, checked and brought into the form that chat templates expect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from maskprep.conversation import ROLES, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.tool_calls import read_tool_calls
from maskprep.formats.wording import QUOTED, kind, quote

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Where the data may hold what an assistant thought; each stays under its own key."""

WEIGHT_KEYS = ("weight", "train", "training", "loss_weight")
"""Where the data may say whether a message is trained; none of them reaches the template."""

_TEXT_ONLY = "Give the content as a string, or as a list of parts of the type text."


def read_message(raw: object, at: str, findings: list[Finding]) -> Message:
    """Normalise one message, which stands ``at`` a place such as ``messages[3]``.

    The fields begin with ``role`` and ``content``, the content is a string, no other field is null, and the keys of
    ``WEIGHT_KEYS`` have become ``in_loss``. Adds to ``findings``; raises RowError.
    """
    if not isinstance(raw, dict):
        raise RowError("bad-message", f"{at} must be an object, not {kind(raw)}", 'Give {"role": "…", "content": "…"}.')
    role = _read_role(raw, at)
    fields: dict[str, Any] = {"role": role, "content": ""}
    for key, value in raw.items():
        if value is None or key in {"role", "content", *WEIGHT_KEYS}:
            continue
        if key == "tool_calls":
            _add_tool_calls(fields, value, at, findings)
        else:
            _check_field(key, value, role, at)
            fields[key] = value
    fields["content"] = _read_content(raw, fields, at, findings)
    return Message(fields, _read_in_loss(raw, at, findings))


def _read_role(raw: Mapping[str, Any], at: str) -> str:
    allowed = f"The roles are {', '.join(ROLES)}."
    role = raw.get("role")
    if not isinstance(role, str):
        found = kind(role) if "role" in raw else "missing"
        raise RowError("bad-message", f"{at}.role must be a string, not {found}", allowed)
    if role not in ROLES:
        raise RowError(
            "unknown-role", f"{at}.role is {quote(role)}, which is not a role. {allowed}", "Rename the role."
        )
    return role


def _add_tool_calls(fields: dict[str, Any], value: object, at: str, findings: list[Finding]) -> None:
    if value == []:
        return
    role = fields["role"]
    if role != "assistant":
        message = f"{at}.tool_calls stands in a message of the role {role}; only an assistant calls tools"
        raise RowError("bad-message", message, "Move the calls to the assistant's message before it.")
    fields["tool_calls"] = read_tool_calls(value, at, findings)


def _check_field(key: str, value: object, role: str, at: str) -> None:
    """Check the type of a field whose meaning is known; any other may hold what it likes."""
    is_string = isinstance(value, str)
    if key == "name" or (key in REASONING_KEYS and role == "assistant"):
        if not is_string:
            raise RowError("bad-message", f"{at}.{key} must be a string, not {kind(value)}", "Make it a string.")
    elif key == "tool_call_id" and not is_string and (isinstance(value, bool) or not isinstance(value, int)):
        message = f"{at}.{key} must be a string or a whole number, not {kind(value)}"
        raise RowError("bad-message", message, "Make it a string.")


def _read_content(raw: Mapping[str, Any], fields: Mapping[str, Any], at: str, findings: list[Finding]) -> str:
    content = raw.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return _join_parts(content, at, findings)
    if content is not None:
        message = f"{at}.content must be a string or a list of text parts, not {kind(content)}"
        raise RowError("bad-message", message, _TEXT_ONLY)
    speaks_otherwise = "tool_calls" in fields or any(key in fields for key in REASONING_KEYS)
    if fields["role"] == "assistant" and ("content" in raw or speaks_otherwise):
        return ""  # some templates print a null as None, others fail on it
    found = "null" if "content" in raw else "missing"
    raise RowError("no-content", f"{at}.content is {found}, in a message of the role {fields['role']}", _TEXT_ONLY)


def _join_parts(parts: list[Any], at: str, findings: list[Finding]) -> str:
    """Make one string of text parts, as most servers do before they render."""
    texts = [_read_part(part, f"{at}.content[{index}]") for index, part in enumerate(parts)]
    if len(texts) > 1:
        findings.append(Finding("text-parts-joined", f"{at}.content: {len(texts)} text parts joined by a newline"))
    return "\n".join(texts)


def _read_part(part: object, at: str) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise RowError("unsupported-part", f"{at} is {kind(part)}, not a text part", _TEXT_ONLY)
    text, name = part.get("text"), part.get("type")
    if name != "text":
        named = f"of the type {quote(name)}" if isinstance(name, str) else "without a type"
        raise RowError("unsupported-part", f"{at} is a part {named}; only text is supported", _TEXT_ONLY)
    if not isinstance(text, str):
        raise RowError("unsupported-part", f"{at}.text, of a part of the type 'text', is {kind(text)}", _TEXT_ONLY)
    return text


def _read_in_loss(raw: Mapping[str, Any], at: str, findings: list[Finding]) -> bool:
    weights = {key: raw[key] for key in WEIGHT_KEYS if raw.get(key) is not None}
    for key, weight in weights.items():
        if not isinstance(weight, (int, float)) or not _is_weight(weight):
            shown = str(weight)[:QUOTED] if isinstance(weight, (int, float)) else kind(weight)
            message = f"{at}.{key} must be true, false or a finite number of 0 or more, not {shown}"
            raise RowError("bad-weight", message, "Use 0 for a message that is not to be trained, else 1.")
        if weight not in {0, 1}:
            detail = f"{at}.{key} is {str(weight)[:QUOTED]}: it counts as 1"
            findings.append(Finding("fractional-weight", detail))
    verdicts = {bool(weight) for weight in weights.values()}
    if len(verdicts) > 1:
        message = f"{at}: {' and '.join(weights)} disagree on whether the message is trained"
        raise RowError("bad-weight", message, "Keep one of them.")
    return verdicts != {False}


def _is_weight(weight: float) -> bool:
    return weight >= 0 and (isinstance(weight, int) or math.isfinite(weight))
