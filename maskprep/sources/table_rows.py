"""The rows of a record batch, each as JSON; one that has no place in JSON is the fault that says so."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import Line
from maskprep.formats.strict_json import loads_text
from maskprep.sources.bounds import spread
from maskprep.sources.row_limit import RAISE_IT
from maskprep.sources.values import to_json

_ROWS = 64  # held as Python objects at a time
_TIMES = 4  # the limit of a row: what they may take together, and one alone, before they are written as JSON


class Wanted:
    """Numbers of rows, or all there are; a range is not spelt out."""

    def __init__(self, numbers: Collection[int] | None) -> None:
        self._numbers = numbers if numbers is None or isinstance(numbers, range) else frozenset(numbers)
        self._sorted: Sequence[int] = numbers if isinstance(numbers, range) else sorted(numbers or ())

    def __contains__(self, number: int) -> bool:
        """Tell whether a row is wanted."""
        return self._numbers is None or number in self._numbers

    def within(self, first: int, count: int) -> bool:
        """Tell whether one of the numbers from ``first`` on is wanted."""
        at = bisect.bisect_left(self._sorted, first)
        return self._numbers is None or (at < len(self._sorted) and self._sorted[at] < first + count)


def rows_of(source: str, first: int, batches: Iterable[Any], max_bytes: int, wanted: Wanted) -> Iterator[Line]:
    """Yield those rows of some batches that are wanted; ``first`` is the number of the first of all."""
    for batch in batches:
        spelt = frozenset(field.name for field in batch.schema if _has_json(field.type))
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            numbers = range(first + start, first + start + part.num_rows)
            if wanted.within(numbers.start, len(numbers)):
                for number, row in zip(numbers, _python(part, _TIMES * max_bytes), strict=True):
                    if number in wanted:
                        yield _line(Where(source, number, -1), row, batch.schema, spelt, max_bytes)
        first += batch.num_rows


def _python(batch: Any, most: int) -> Iterator[Any]:
    """Yield the rows as Python values; one that Python cannot hold, or in ``most`` bytes, is what it raises.

    Where they take more together, they are held one by one.
    """
    size = spread(batch)
    rows = None
    if size <= most:
        with suppress(ValueError, KeyError, OverflowError):
            rows = batch.to_pylist(maps_as_pydicts="strict")
    if rows is not None:
        yield from rows
    elif batch.num_rows > 1:
        for index in range(batch.num_rows):
            yield from _python(batch.slice(index, 1), most)
    elif size > most:
        message = f"the row takes {size:,} bytes or more in memory; the most that is read is {most:,}"
        yield RowError("row-too-large", message, RAISE_IT)
    else:
        yield _cause(batch)


def _cause(batch: Any) -> RowError:
    try:
        batch.to_pylist(maps_as_pydicts="strict")
    except UnicodeDecodeError:
        return RowError("invalid-utf8", "a text of the row is not UTF-8", "Write the table again with valid text.")
    except (ValueError, KeyError, OverflowError) as error:
        return RowError("bad-value", f"a value of the row cannot be read: {error}", "Mend or drop the row.")
    raise AssertionError


def _line(where: Where, row: Any, schema: Any, spelt: Collection[str], max_bytes: int) -> Line:
    """Return a row as a line; ``spelt`` are its columns that hold JSON as text."""
    try:
        if isinstance(row, RowError):
            raise row
        if spelt:
            row = {**row, **{name: _decoded(row[name], schema.field(name).type) for name in spelt}}
        return Line(where, to_json(row, max_bytes))
    except RowError as fault:
        return Line(where, b"", fault)


def _has_json(kind: Any) -> bool:
    """Tell whether a type is Arrow's JSON type, or holds it."""
    if getattr(kind, "extension_name", "") == "arrow.json":
        return True
    return any(_has_json(kind.field(index).type) for index in range(kind.num_fields))


def _decoded(value: Any, kind: Any) -> Any:
    """Return a value with JSON text parsed wherever its type says that it is such."""
    if value is None or not _has_json(kind):
        return value
    if isinstance(kind, pa.BaseExtensionType):
        return loads_text(value)
    if isinstance(kind, pa.StructType):
        return {name: _decoded(each, kind.field(name).type) for name, each in value.items()}
    if isinstance(kind, pa.MapType):
        return {name: _decoded(each, kind.item_type) for name, each in value.items()}
    return [_decoded(each, kind.value_type) for each in value]
