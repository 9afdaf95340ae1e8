"""Tables as they lie on disk: what they consist of, and how each piece is read by itself.

A piece is what is compressed or checked together: a row group of Parquet, a record batch of Arrow. What a table tells
of its pieces (``extents``) takes none of their bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from maskprep.errors import UsageError
from maskprep.sources.arrow_layout import blocks, is_foreign, messages, rows_at
from maskprep.sources.bounds import check_expansion, check_structure
from maskprep.sources.kinds import Kind
from maskprep.storage import RemoteFile, is_remote

_ROWS = 64  # of a Parquet file, loaded at a time


@dataclass(frozen=True, slots=True)
class Extent:
    """A piece: how many rows, ``at`` which place from and to (numbers or bytes), and its end in the file (bytes)."""

    rows: int
    at: tuple[int, int]
    end: int


class Table(Protocol):
    """An opened table; ``names`` are its columns. Whatever is damaged raises one of ``tables.DAMAGE``."""

    names: list[str]

    def extents(self, at: tuple[int, int] | None = None) -> Iterator[Extent]:
        """Yield all pieces, or those from one place to another."""

    def batches(self, extent: Extent) -> Iterable[Any]:
        """Return the rows of a piece as record batches."""


def open_table(path: str, kind: Kind, size: int) -> Table:
    """Open a table of a kind and of ``size`` bytes.

    Raises UsageError where two columns have one name, RowError where it tells of more than it can hold, and what
    pyarrow raises.
    """
    if kind is Kind.PARQUET:
        return _Parquet(path, size)
    return _ArrowFile(path, size) if kind is Kind.ARROW_FILE else _ArrowStream(path, size)


class _Parquet:
    def __init__(self, path: str, size: int) -> None:
        source = _source(path) if is_remote(path) else path
        metadata = pq.read_metadata(source)
        check_expansion(path, metadata, size)
        columns = map(metadata.schema.column, range(metadata.num_columns))
        texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        # A buffer of its own, so that a column of a large row group is not read as a whole. Texts stay in their
        # dictionaries until it is known how much they are: one long text can be that of every row.
        how = {"pre_buffer": False, "buffer_size": 1 << 20, "read_dictionary": texts}
        self._file = pq.ParquetFile(source, metadata=metadata, **how)
        self.names = _checked_names(path, self._file.schema_arrow)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        self._rows = [group.num_rows for group in groups]
        if min(self._rows, default=0) < 0:
            message = "a row group has fewer rows than none"
            raise ValueError(message)
        taken = list(accumulate(max(1, _packed(group)) for group in groups))
        self._ends = [size * each // taken[-1] for each in taken]

    def extents(self, at: tuple[int, int] | None = None) -> Iterator[Extent]:
        for group in range(*(at or (0, len(self._rows)))):
            yield Extent(self._rows[group], (group, group + 1), self._ends[group])

    def batches(self, extent: Extent) -> Iterable[Any]:
        yield from self._file.iter_batches(batch_size=_ROWS, row_groups=[extent.at[0]])


def _source(path: str) -> Any:
    """Open a file for pyarrow: mapped into memory, or as an object, whose errors are told by name."""
    return pa.PythonFile(RemoteFile(path), mode="r") if is_remote(path) else pa.memory_map(path)


def _packed(group: Any) -> int:
    return sum(group.column(index).total_compressed_size for index in range(group.num_columns))


class _ArrowFile:
    def __init__(self, path: str, size: int) -> None:
        self._source, self._size = _source(path), size
        self._file = pa.ipc.open_file(self._source)
        self.names = _checked_names(path, self._file.schema)

    def extents(self, at: tuple[int, int] | None = None) -> Iterator[Extent]:
        found = blocks(self._source, self._size)
        for index in range(*(at or (0, len(found)))):
            rows = rows_at(self._source, found[index], self._size)
            yield Extent(rows, (index, index + 1), self._size * (index + 1) // len(found))

    def batches(self, extent: Extent) -> Iterable[Any]:
        return _checked(self._file.get_batch(index) for index in range(*extent.at))


class _ArrowStream:
    """Batches that need nothing but the schema are read each by itself; others from the start, all in one piece."""

    def __init__(self, path: str, size: int) -> None:
        self._source, self._size = _source(path), size
        self._schema = pa.ipc.open_stream(self._source).schema
        self.names = _checked_names(path, self._schema)
        self._begin = self._source.tell()
        self._whole = any(map(_has_dictionary, self._schema.types)) or is_foreign(self._source, size)

    def extents(self, at: tuple[int, int] | None = None) -> Iterator[Extent]:
        found = (each for each in messages(self._source, *(at or (self._begin, self._size))) if each.is_batch)
        if self._whole:
            yield from self._one(found)
        else:
            yield from (Extent(each.rows, (each.start, each.end), each.end) for each in found)

    def _one(self, found: Iterator[Any]) -> Iterator[Extent]:
        rows, damage = 0, None
        try:
            for message in found:
                rows += message.rows
        except ValueError as error:
            damage = error
        yield Extent(rows, (self._begin, self._size), self._size)
        if damage is not None:
            raise damage

    def batches(self, extent: Extent) -> Iterable[Any]:
        self._source.seek(0 if self._whole else extent.at[0])
        if self._whole:
            return _checked(_until(pa.ipc.open_stream(self._source), extent.rows))
        data = self._source.read_buffer(extent.at[1] - extent.at[0])
        return _checked(iter([pa.ipc.read_record_batch(data, self._schema)]))


def _until(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    """Yield batches until they have given so many rows: what follows is damaged, and told elsewhere."""
    for batch in batches:
        yield batch
        rows -= batch.num_rows
        if rows <= 0:
            return


def _checked(batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        check_structure(batch)
        yield batch


def _has_dictionary(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _has_dictionary(kind.storage_type)
    fields = (kind.field(index).type for index in range(kind.num_fields))
    return pa.types.is_dictionary(kind) or any(map(_has_dictionary, fields))


def _checked_names(path: str, schema: Any) -> list[str]:
    """Return the names of the columns. Raises UsageError where two are the same."""
    names: list[str] = schema.names
    if len(set(names)) < len(names):
        again = Counter(names).most_common(1)[0][0]
        raise UsageError(f"{path}: two columns are called {again!r}", "Rename or drop one.")
    return names
