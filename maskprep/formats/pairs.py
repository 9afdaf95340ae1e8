"""Pairs of a question and its answer, in a list.

{"conversation": [{"human": "Tide?", "assistant": "High."}, …]}
"""

from __future__ import annotations

from maskprep.formats.dialogue import pair_of
from maskprep.formats.openai import LISTS, first_message, read_list
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format


def _fits(row: InputRow) -> bool:
    """Tell whether a row holds a list of which the first element is a question and its answer."""
    return pair_of(first_message(row), row) is not None


FORMAT = RowFormat(Format.PAIRS, LISTS, _fits, read_list)
