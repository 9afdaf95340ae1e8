"""Texts that alternate, the user's first.

{"dialog": ["Tide?", "High.", …]}

Texts are guessed to be of two who speak in turn only where nothing tells otherwise: neither the name of the list, nor
a question and its answer beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.formats import alpaca, prompt_completion, question_answer
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.openai import ANYTHING, LISTS, texts_fault
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format

_TEXTS = (*LISTS, "data")
_OTHERS = (prompt_completion.FORMAT, alpaca.FORMAT, question_answer.FORMAT)


def _fits(row: InputRow) -> bool:
    name = _texts_name(row)
    if name is None or texts_fault(name, row.get(name)) is not None:
        return False
    return name not in ANYTHING or not any(other.fits(row) for other in _OTHERS)


def _texts_name(row: InputRow) -> str | None:
    return next((name for name in _TEXTS if _are_texts(row.get(name))), None)


def _are_texts(value: object) -> bool:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, str) for item in value):  # noqa: PLR2004
        return False
    return not value[0].lstrip().startswith("{")


def _read(row: InputRow) -> Sequence[Message]:
    name = _texts_name(row) or row.first(_TEXTS) or "messages"
    return read_dialogue(row.take(name), name, row)


FORMAT = RowFormat(Format.TEXTS, _TEXTS, _fits, _read)
