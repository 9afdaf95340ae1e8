"""Lists of another kind than messages: pairs of a question and its answer, and texts that alternate.

{"conversation": [{"human": "Tide?", "assistant": "High."}, …]}      pairs
{"dialog": ["Tide?", "High.", …]}                                    texts, the user's first

Texts are guessed to be of two who speak in turn only where nothing tells otherwise: neither the name of the list, nor
a question and its answer beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.formats.alpaca import ALPACA
from maskprep.formats.dialogue import pair_of, read_dialogue
from maskprep.formats.openai import ANYTHING, LISTS, first_message, read_list, texts_fault
from maskprep.formats.prompt_completion import PROMPT_COMPLETION
from maskprep.formats.question_answer import QUESTION_ANSWER
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format

_TEXTS = (*LISTS, "data")
_OTHERS = (PROMPT_COMPLETION, ALPACA, QUESTION_ANSWER)


def _fits_pairs(row: InputRow) -> bool:
    return pair_of(first_message(row), row) is not None


def _fits_texts(row: InputRow) -> bool:
    name = _texts_name(row)
    if name is None or texts_fault(name, row.get(name)) is not None:
        return False
    return name not in ANYTHING or not any(shape.fits(row) for shape in _OTHERS)


def _texts_name(row: InputRow) -> str | None:
    return next((name for name in _TEXTS if _are_texts(row.get(name))), None)


def _are_texts(value: object) -> bool:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, str) for item in value):  # noqa: PLR2004
        return False
    return not value[0].lstrip().startswith("{")


def _read_texts(row: InputRow) -> Sequence[Message]:
    name = _texts_name(row) or row.first(_TEXTS) or "messages"
    return read_dialogue(row.take(name), name, row)


PAIRS = RowFormat(Format.PAIRS, LISTS, _fits_pairs, read_list)
TEXTS = RowFormat(Format.TEXTS, _TEXTS, _fits_texts, _read_texts)
