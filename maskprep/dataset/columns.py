"""Shards read back in bulk and with nothing taken on trust: the columns of a batch as flat arrays of numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.arrays import Bools, Ints, positions
from maskprep.dataset.profiles.arrays import inner
from maskprep.dataset.schema import VISIBLE
from maskprep.dataset.stored import StoredShard, one_a_row
from maskprep.errors import BuildError
from maskprep.labelled import SpanColumns

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # what an Arrow stream ends with


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of rows. Row ``i`` holds ``ids[id_edges[i]:id_edges[i + 1]]``, and so on for labels and spans.

    ``restarts`` tells of each row whether its ``position_ids``, where it stands among others in a packed one, count
    from 0; where rows may be trees, ``positions`` and ``until`` are those of its tokens.
    """

    ids: Ints
    id_edges: Ints
    labels: Ints
    label_edges: Ints
    spans: SpanColumns
    span_edges: Ints
    files: tuple[str, ...]
    lines: Ints
    sequences: Ints
    weights: npt.NDArray[np.float32] | None
    restarts: Bools
    positions: Ints | None
    until: Ints | None
    _batch: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def keep(self, rows: Bools) -> Columns:
        """Return these columns without the rows that are False in ``rows``."""
        return self if bool(rows.all()) else _columns(self._batch.filter(pa.array(rows)), self.restarts[rows])


def batches(shard: StoredShard) -> Iterator[Columns]:
    """Yield the documents of a shard, batch by batch; memory holds one of them.

    Raises:
        BuildError: the file is no shard of maskprep's, or it ends early; the message says which.
    """
    try:
        for batch in shard.rows():
            batch.validate(full=True)
            if any(column.null_count for column in batch.columns):
                raise BuildError("holds nulls")
            documents = one_a_row(batch)
            yield _columns(documents, _restarts(batch, documents))
    except pa.ArrowException as error:
        raise BuildError(f"cannot be read: {str(error).splitlines()[0]}") from error


def ends_whole(path: Path) -> bool:
    """Tell whether the Arrow stream in a file has its end, and was not cut off."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_END)))
        return file.read() == _END


def _restarts(batch: Any, documents: Any) -> Bools:
    """Tell of each document whether its position ids in the packed rows of ``batch`` count from 0."""
    if "position_ids" not in batch.schema.names or VISIBLE in batch.schema.names:
        return np.ones(documents.num_rows, np.bool_)
    found, found_edges = _flat(batch.column("position_ids"))
    _, row_edges = _flat(batch.column("input_ids"))
    _, edges = _flat(documents.column("input_ids"))
    if not np.array_equal(found_edges, row_edges):
        raise BuildError("holds rows with another number of position_ids than of input_ids")
    wrong: Ints = np.concatenate(([0], np.cumsum(found != positions(np.diff(edges)))))
    return np.equal(wrong[edges[1:]], wrong[edges[:-1]])


def _columns(batch: Any, restarts: Bools) -> Columns:
    ids, id_edges = _flat(batch.column("input_ids"))
    labels, label_edges = _flat(batch.column("labels"))
    spans, span_edges = inner(batch.column("spans"))
    if "logprobs" in batch.schema.names and not np.array_equal(inner(batch.column("logprobs"))[1], id_edges):
        raise BuildError("holds rows with another number of logprobs than of input_ids")
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
        _weights(batch),
        restarts,
        _tree(batch, "position_ids", id_edges),
        _tree(batch, VISIBLE, id_edges),
        batch,
    )


def _tree(batch: Any, name: str, id_edges: Ints) -> Ints | None:
    if VISIBLE not in batch.schema.names:
        return None
    values, edges = _flat(batch.column(name))
    if not np.array_equal(edges, id_edges):
        raise BuildError(f"holds rows with another number of {name} than of input_ids")
    return values


def _weights(batch: Any) -> npt.NDArray[np.float32] | None:
    if "loss_weights" not in batch.schema.names:
        return None
    values, _ = inner(batch.column("loss_weights"))
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float32)


def _flat(column: Any) -> tuple[Ints, Ints]:
    values, edges = inner(column)
    if values.null_count:
        raise BuildError("holds nulls")
    return _numbers(values), edges


def _numbers(array: Any) -> Ints:
    return np.asarray(array.to_numpy(zero_copy_only=False)).astype(np.int64)


def _codes(array: Any) -> tuple[Ints, tuple[str, ...]]:
    encoded = array.dictionary_encode()
    return _numbers(encoded.indices), tuple(encoded.dictionary.to_pylist())
