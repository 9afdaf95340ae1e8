"""Parquet, Arrow and folders of `save_to_disk`: rows by number, each as JSON.

Tool arguments that a table holds as structs have got nulls for keys of other rows: it is the table that says so, and
the row as it stands here still has them. Columns of JSON text stay text; those of Arrow's JSON type become what they
spell.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.lines import Line
from maskprep.formats.strict_json import loads_text
from maskprep.sources.bounds import Unchanged, check_expansion, check_rows, check_structure, spread
from maskprep.sources.kinds import Kind
from maskprep.sources.sidecars import is_plain, read_sidecar
from maskprep.sources.streams import Progress, check_regular
from maskprep.sources.values import to_json

_ROWS = 64  # held as Python objects at a time
_DAMAGE = (
    OSError,
    pa.ArrowException,
    ValueError,
    LookupError,
    RuntimeError,
    MemoryError,
)  # a damaged file raises these
_TIMES = 4  # the limit of a row: what they may take together, and one alone, before they are written as JSON


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows of a file, what loads them as record batches, and where in the file they end, about (bytes)."""

    rows: int
    load: Callable[[], Iterable[Any]]
    end: int


class _Wanted:
    """Numbers of rows, or all there are."""

    def __init__(self, numbers: Collection[int] | None) -> None:
        self._numbers = None if numbers is None else frozenset(numbers)
        self._sorted = sorted(numbers or ())

    def __contains__(self, number: int) -> bool:
        return self._numbers is None or number in self._numbers

    def within(self, first: int, count: int) -> bool:
        """Tell whether one of the numbers from ``first`` on is wanted."""
        at = bisect.bisect_left(self._sorted, first)
        return self._numbers is None or (at < len(self._sorted) and self._sorted[at] < first + count)


def read_table(
    source: str, kind: Kind, max_bytes: int, on_progress: Progress | None = None, wanted: Collection[int] | None = None
) -> Iterator[Line]:
    """Yield the rows of a table, or only those ``wanted`` by number; ``Where.line`` is that number, from 1.

    Of a Parquet file only the row groups that hold wanted rows are read. A row that has no place in JSON has a fault
    that says so; where the file ends early, the last row has the fault ``truncated-file``. Raises UsageError where the
    file cannot be opened as what it is, BuildError where it is changed meanwhile. A file that tells of more than it can
    hold has one row, with the fault ``compression-bomb``.
    """
    files = table_files(source) if kind is Kind.FOLDER else [(Path(source), kind)]
    chosen, first, done = _Wanted(wanted), 1, 0
    for path, of_kind in files:
        check_regular(path)
        unchanged = Unchanged(path)
        begun, held = first, 0
        try:
            with _told(f"{path}: it cannot be read as {of_kind}"):
                opened = _parquet(path, unchanged.size) if of_kind is Kind.PARQUET else _arrow(path, of_kind)
            for piece in opened:
                check_rows(path, first - begun + piece.rows, unchanged.size)
                if chosen.within(first, piece.rows):
                    for line in _rows(source, first, piece.load(), max_bytes, chosen):
                        held += len(line.data)
                        check_rows(path, 0, unchanged.size, held)
                        yield line
                        unchanged()
                first += piece.rows
                if on_progress is not None:
                    on_progress(done + piece.end)
        except _DAMAGE as error:
            unchanged()
            message = f"{path}: reading failed: {(str(error).splitlines() or [type(error).__name__])[0]}"
            hint = "Copy or download the file again: nothing after this place could be read."
            yield Line(Where(source, first, -1), b"", RowError("truncated-file", message, hint))
        except RowError as fault:
            yield Line(Where(source, first, -1), b"", fault)
        unchanged()
        done += unchanged.size


def table_files(folder: str) -> list[tuple[Path, Kind]]:
    """Return the shards of a folder that `save_to_disk` wrote, in order. Raises UsageError where it is none."""
    path = Path(folder) / "state.json"
    with _told(f"{folder}: it cannot be read as a data set of save_to_disk"):
        state = read_sidecar(path)
        names = [entry["filename"] for entry in state["_data_files"]]
        indices = state.get("_indices_data_files")
        if not all(map(is_plain, names)):
            message = "state.json names files outside of it"
            raise ValueError(message)
    if indices:
        hint = "Load it with datasets, call flatten_indices(), and save it again."
        raise UsageError(f"{folder}: its rows are chosen by an index of an old version of datasets", hint)
    return [(path.parent / name, Kind.ARROW_STREAM) for name in names]


def _parquet(path: Path, size: int) -> Iterator[_Piece]:
    metadata = pq.read_metadata(path)
    check_expansion(path, metadata, size)
    columns = map(metadata.schema.column, range(metadata.num_columns))
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    # A buffer of its own, so that a column of a large row group is not read as a whole. Texts stay in their
    # dictionaries until it is known how much they are: one long text can be that of every row.
    file = pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=1 << 20, read_dictionary=texts)
    _check_names(path, file.schema_arrow)
    total, done = max(1, file.metadata.num_rows), 0
    pieces = []
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        done += rows
        load = partial(file.iter_batches, batch_size=_ROWS, row_groups=[group])
        pieces.append(_Piece(rows, load, size * done // total))
    return iter(pieces)


def _arrow(path: Path, kind: Kind) -> Iterator[_Piece]:
    mapped = pa.memory_map(str(path))
    if kind is Kind.ARROW_FILE:
        file = pa.ipc.open_file(mapped)
        _check_names(path, file.schema)
        count, size = file.num_record_batches, path.stat().st_size
        return (_piece(file.get_batch(index), size * (index + 1) // count) for index in range(count))
    stream = pa.ipc.open_stream(mapped)
    _check_names(path, stream.schema)
    return (_piece(batch, mapped.tell()) for batch in stream)


def _piece(batch: Any, end: int) -> _Piece:
    def load() -> list[Any]:
        check_structure(batch)
        return [batch]

    return _Piece(batch.num_rows, load, end)


def _check_names(path: Path, schema: Any) -> None:
    names = schema.names
    if len(set(names)) < len(names):
        again = Counter(names).most_common(1)[0][0]
        raise UsageError(f"{path}: two columns are called {again!r}", "Rename or drop one.")
    if {"input_ids", "labels"} <= set(names):
        raise UsageError(f"{path}: it holds token ids, not conversations", "Give the data that it was made from.")


def _rows(source: str, first: int, batches: Iterable[Any], max_bytes: int, wanted: _Wanted) -> Iterator[Line]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            numbers = range(first + start, first + start + part.num_rows)
            if wanted.within(numbers.start, len(numbers)):
                for number, row in zip(numbers, _python(part, _TIMES * max_bytes), strict=True):
                    if number in wanted:
                        yield _line(Where(source, number, -1), row, batch.schema, max_bytes)
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
        hint = "Split or drop the row, or raise the limit on the bytes of a row."
        yield RowError("row-too-large", message, hint)
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


def _line(where: Where, row: Any, schema: Any, max_bytes: int) -> Line:
    try:
        if isinstance(row, RowError):
            raise row
        spelt = {field.name for field in schema if _has_json(field.type)}
        decoded = {name: _decoded(row[name], schema.field(name).type) for name in spelt}
        return Line(where, to_json({**row, **decoded}, max_bytes))
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


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise what goes wrong while a table is opened as a UsageError."""
    try:
        yield
    except (*_DAMAGE, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{what}: {reason}", "Check that the file is whole, or copy it again.") from error
