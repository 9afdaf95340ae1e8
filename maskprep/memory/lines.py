"""Rows in memory as the lines that they would be in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats import Line, Reading, detect, readable
from maskprep.sources.values import to_json

NAME = "rows"
"""What rows in memory are said to come from."""

FIRST = 100  # rows that tell the format, as in a file


def lines_of(rows: Iterable[Any], max_bytes: int) -> Iterator[Line]:
    """Yield rows as lines, numbered from 1; one that has no place in JSON is the fault that says so."""
    for number, row in enumerate(rows, 1):
        where = Where(NAME, number, -1)
        if not isinstance(row, Mapping):
            fault = RowError("not-an-object", f"a row must be a mapping, not {type(row).__name__}", _HINT)
            yield Line(where, b"", fault)
            continue
        try:
            yield Line(where, to_json(row, max_bytes))
        except RowError as found:
            yield Line(where, b"", found)


def read_alike(lines: Iterable[Line], reading: Reading) -> Iterator[Line]:
    """Yield lines with how to read them: the first ones tell their format, where it is not chosen.

    Raises:
        UsageError: two of the first rows have different formats.
    """
    rest = iter(lines)
    first = list(islice(rest, FIRST))
    decided = decided_by(first, reading)
    for line in chain(first, rest):
        yield replace(line, reading=decided)


def decided_by(first: Sequence[Line], reading: Reading) -> Reading:
    """Return how rows are to be read that begin with these. Raises ``UsageError`` where two formats differ."""
    return detect(readable(first), reading)


_HINT = 'give a mapping such as {"messages": [{"role": "user", "content": "…"}, …]}'
