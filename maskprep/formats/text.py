"""Plain text: one document without turns, trained whole, to be mixed in. Never guessed: ``format: text`` says so."""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format

_HINT = 'Give {"text": "…"}; columns: {text: body} maps another name.'


def _read(row: InputRow) -> Sequence[Message]:
    text = row.text("text", hint=_HINT)
    if not text or not text.strip():
        raise RowError("missing-field", "the row has no text: it is missing, null or empty", _HINT)
    return [Message({"role": "assistant", "content": text})]


FORMAT = RowFormat(
    Format.TEXT, ("text",), lambda row: isinstance(row.get("text"), str), _read, messages=False, guessed=False
)
