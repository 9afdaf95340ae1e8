"""Gemini's and Vertex' format: ``contents`` of ``role`` and ``parts``, and a ``systemInstruction``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.nested_json import unwrapped_list
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.wording import kind
from maskprep.policy import Format

_HINT = 'Give {"contents": [{"role": "user", "parts": [{"text": "…"}]}, …]}.'


def as_message(content: object, at: str) -> dict[str, Any]:
    """Return a ``content`` of the Gemini format as a message of parts. Raises RowError ``bad-message``."""
    if not isinstance(content, dict):
        raise RowError("bad-message", f"{at} must be an object, not {kind(content)}", _HINT)
    parts = content.get("parts")
    listed = parts if isinstance(parts, list) else [] if parts is None else [parts]
    rest = {key: value for key, value in content.items() if key != "parts"}
    return {**rest, "role": content.get("role") or "user", "content": listed}


def _fits(row: InputRow) -> bool:
    value = row.get("contents")
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "parts" in value[0]


def _read(row: InputRow) -> Sequence[Message]:
    value = row.take("contents")
    if not isinstance(value, list) or not value:
        raise RowError("no-messages", f"contents must be a list, not {kind(value)}", _HINT)
    listed = unwrapped_list(value)
    return read_dialogue([as_message(each, f"contents[{i}]") for i, each in enumerate(listed)], "contents", row)


FORMAT = RowFormat(Format.GEMINI, ("contents",), _fits, _read)
