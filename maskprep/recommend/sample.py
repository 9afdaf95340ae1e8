"""The conversations that settings are tried on: the first rows of the sources, and those that were rejected."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError
from maskprep.examples.guard import internal_error
from maskprep.examples.history_cost import SAMPLE_ROWS
from maskprep.formats import Line, parse

_BYTES = 4 * 2**20  # of rows: more of long ones would take minutes
_SCANNED = 20_000  # rows that are looked through for rejected ones


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One row: its conversation, or why it cannot be read. Settings for the template mend only the former."""

    where: Where
    conversation: Conversation | None
    error: RowError | None = None

    @classmethod
    def of(cls, line: Line) -> SampleRow:
        """Return what is read of a line."""
        try:
            return cls(line.where, parse(line))
        except RowError as error:
            return cls(line.where, None, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this row
            return cls(line.where, None, internal_error(error))


def sample_of(lines: Iterable[Line], wanted: Collection[tuple[str, int]] = ()) -> list[SampleRow]:
    """Return the first rows, 200 at most, and those further behind that are ``wanted`` by file and line."""
    found: list[SampleRow] = []
    left = set(wanted)
    size = 0
    for count, line in enumerate(lines):
        place = line.where.file, line.where.line
        if (count < SAMPLE_ROWS and size < _BYTES) or place in left:
            found.append(SampleRow.of(line))
            left.discard(place)
            size += len(line.data)
        elif not left or count >= _SCANNED:
            break
    return found
