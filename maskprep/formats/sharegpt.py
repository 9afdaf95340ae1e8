"""The format ShareGPT: a list of messages with ``from`` and ``value``."""

from __future__ import annotations

from maskprep.formats.openai import LISTS, first_message, is_sharegpt, read_list
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format


def _fits(row: InputRow) -> bool:
    """Tell whether a row holds messages of the keys ``from`` and ``value``."""
    first = first_message(row)
    return isinstance(first, dict) and is_sharegpt(first, row.names)


FORMAT = RowFormat(Format.SHAREGPT, LISTS, _fits, read_list)
