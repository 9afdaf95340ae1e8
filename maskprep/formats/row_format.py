"""The description of a format of rows: how to know it, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maskprep.conversation import Message
from maskprep.formats.row import InputRow
from maskprep.policy import Format


@dataclass(frozen=True, slots=True)
class RowFormat:
    """A format that rows may have.

    Args:
        name: its name in ``format``.
        fields: the fields of a row that it reads, beside those that every format has (``finish.py``).
        fits: tells whether a row has it; takes nothing from the row.
        read: takes the fields of a row and returns its messages. Raises RowError.
        messages: whether a row holds messages, which have fields of their own.
        guessed: whether a row can tell by itself that it has this format.
    """

    name: Format
    fields: tuple[str, ...]
    fits: Callable[[InputRow], bool]
    read: Callable[[InputRow], Sequence[Message]]
    messages: bool = True
    guessed: bool = True
