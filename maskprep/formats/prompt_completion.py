"""The prompt/completion shape: two strings, the user's and the assistant's, or two lists of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.names import Names
from maskprep.formats.openai import as_object
from maskprep.formats.row import finish
from maskprep.formats.wording import kind

_HINT = 'Give {"prompt": "…", "completion": "…"}, or lists of messages; columns: can map other names.'
_ANSWERS = ("completion", "response")


def fits_prompt_completion(row: Mapping[str, Any], _names: Names) -> bool:
    """Tell whether a row under canonical names has a prompt and a completion."""
    return row.get("prompt") is not None and any(row.get(key) is not None for key in _ANSWERS)


def from_prompt_completion(row: object, names: Names) -> Conversation:
    """Normalise a row. What the assistant says within the prompt is not in the loss. Raises RowError."""
    fields = names.row(as_object(row))
    answer = next((key for key in _ANSWERS if fields.get(key) is not None), "completion")
    findings: list[Finding] = []
    messages = [
        *_side(fields, "prompt", "user", findings, names),
        *_side(fields, answer, "assistant", findings, names),
    ]
    return finish(fields, messages, findings)


def _side(fields: Mapping[str, Any], key: str, role: str, findings: list[Finding], names: Names) -> list[Message]:
    value = fields.get(key)
    if isinstance(value, str):
        return [Message({"role": role, "content": value})]
    if value is None:
        raise RowError("missing-field", f"the row's {key} is {'null' if key in fields else 'missing'}", _HINT)
    if not isinstance(value, list):
        raise RowError("bad-message", f"{key} must be a string or a list of messages, not {kind(value)}", _HINT)
    return read_dialogue(value, key, findings, names, (0.0 if key == "prompt" else 1.0, 1.0))
