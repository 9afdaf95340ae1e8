"""Shards read back in bulk and with nothing taken on trust: the columns of a batch as flat arrays of numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.errors import BuildError
from maskprep.shards.schema import SCHEMA

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COLUMNS = set(SCHEMA.names)
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # what an Arrow stream ends with


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """The spans of a batch, one item a span; ``role`` and ``part`` are indices into the names beside them."""

    role: Ints
    part: Ints
    message: Ints
    start: Ints
    end: Ints
    trained: Bools
    roles: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of rows. Row ``i`` holds ``ids[id_edges[i]:id_edges[i + 1]]``, and so on for labels and spans."""

    ids: Ints
    id_edges: Ints
    labels: Ints
    label_edges: Ints
    spans: SpanColumns
    span_edges: Ints
    files: tuple[str, ...]
    lines: Ints
    sequences: Ints
    _batch: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def keep(self, rows: Bools) -> Columns:
        """Return the same without the rows that are False in ``rows``."""
        return self if bool(rows.all()) else _columns(self._batch.filter(pa.array(rows)))


def batches(path: Path) -> Iterator[Columns]:
    """Yield the batches of a shard; memory holds one of them.

    Raises:
        BuildError: the file is no such shard, or it ends early; the message says which.
    """
    try:
        with pa.memory_map(str(path)) as source:
            stream = pa.ipc.open_stream(source)
            if not stream.schema.equals(SCHEMA):
                raise BuildError(f"has another schema: {_difference(stream.schema)}")
            for batch in stream:
                batch.validate(full=True)
                if any(column.null_count for column in batch.columns):
                    raise BuildError("holds nulls")
                yield _columns(batch)
    except (OSError, pa.ArrowException) as error:
        raise BuildError(f"cannot be read as an Arrow stream: {str(error).splitlines()[0]}") from error


def packed_columns(path: Path) -> set[str]:
    """Return which columns of a packed data set the shard has, none where it cannot be read."""
    try:
        with pa.memory_map(str(path)) as source:
            return {"position_ids", "seq_lengths"} & set(pa.ipc.open_stream(source).schema.names)
    except (OSError, pa.ArrowException):
        return set()


def ends_whole(path: Path) -> bool:
    """Tell whether the file ends as an Arrow stream does, and not in the middle of one."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_END)))
        return file.read() == _END


def _difference(schema: Any) -> str:
    missing, foreign = _COLUMNS - set(schema.names), set(schema.names) - _COLUMNS
    other = [name for name in _COLUMNS & set(schema.names) if schema.field(name).type != SCHEMA.field(name).type]
    said = [
        f"{what} {', '.join(sorted(names))}"
        for what, names in (("it lacks", missing), ("it has besides", foreign), ("of another type:", other))
        if names
    ]
    return "; ".join(said) or "the same columns in another order"


def _columns(batch: Any) -> Columns:
    ids, id_edges = _flat(batch.column("input_ids"))
    labels, label_edges = _flat(batch.column("labels"))
    spans, span_edges = _inner(batch.column("spans"))
    origin = batch.column("origin")
    role, roles = _codes(spans.field("role"))
    part, parts = _codes(spans.field("part"))
    trained = np.asarray(spans.field("trained").to_numpy(zero_copy_only=False), np.bool_)
    message, start, end = (_numbers(spans.field(name)) for name in ("message", "start", "end"))
    return Columns(
        ids,
        id_edges,
        labels,
        label_edges,
        SpanColumns(role, part, message, start, end, trained, roles, parts),
        span_edges,
        tuple(origin.field("file").to_pylist()),
        _numbers(origin.field("line")),
        _numbers(origin.field("sequence")),
        batch,
    )


def _inner(column: Any) -> tuple[Any, Ints]:
    """Return what the lists of a column hold, end to end, and where each begins; from 0, whatever was sliced off."""
    edges = _numbers(column.offsets)
    return column.values.slice(int(edges[0]), int(edges[-1] - edges[0])), edges - edges[0]


def _flat(column: Any) -> tuple[Ints, Ints]:
    values, edges = _inner(column)
    if values.null_count:
        raise BuildError("holds nulls")
    return _numbers(values), edges


def _numbers(array: Any) -> Ints:
    return np.asarray(array.to_numpy(zero_copy_only=False)).astype(np.int64)


def _codes(array: Any) -> tuple[Ints, tuple[str, ...]]:
    encoded = array.dictionary_encode()
    return _numbers(encoded.indices), tuple(encoded.dictionary.to_pylist())
