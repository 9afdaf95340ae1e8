"""Lists of another kind than messages: pairs of a question and its answer, and texts that alternate.

{"conversation": [{"human": "Tide?", "assistant": "High."}, …]}      pairs
{"dialog": ["Tide?", "High.", …]}                                    texts, the user's first
"""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.formats.dialogue import pair_of, read_dialogue
from maskprep.formats.openai import LISTS, first_message, read_list
from maskprep.formats.row import Row
from maskprep.formats.shape import Shape

_TEXTS = (*LISTS, "data")


def _fits_pairs(row: Row) -> bool:
    return pair_of(first_message(row), row) is not None


def _fits_texts(row: Row) -> bool:
    name = row.first(_TEXTS)
    value = row.get(name) if name else None
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, str) for item in value):  # noqa: PLR2004
        return False
    return not value[0].lstrip().startswith("{")


def _read_texts(row: Row) -> Sequence[Message]:
    name = row.first(_TEXTS) or "messages"
    return read_dialogue(row.take(name), name, row)


PAIRS = Shape("pairs", LISTS, _fits_pairs, read_list)
TEXTS = Shape("texts", _TEXTS, _fits_texts, _read_texts)
