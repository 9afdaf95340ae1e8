"""A row as it comes from its source, whatever kind that is of."""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import DEFAULT, Reading


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its bytes as JSON, or ``fault`` where it could not be read.

    ``reading`` says how to understand it, ``copies`` how many times it is used.
    """

    where: Where
    data: bytes
    fault: RowError | None = None
    reading: Reading = DEFAULT
    copies: int = 1
