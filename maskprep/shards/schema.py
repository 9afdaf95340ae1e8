"""The columns of a row, and rows as Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from maskprep.conversation import Where
from maskprep.labels import Labelled, Span

SCHEMA = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
        (
            "spans",
            pa.list_(
                pa.struct(
                    [
                        ("role", pa.string()),
                        ("part", pa.string()),
                        ("message", pa.int32()),
                        ("start", pa.int32()),
                        ("end", pa.int32()),
                        ("trained", pa.bool_()),
                    ]
                )
            ),
        ),
        ("origin", pa.struct([("file", pa.string()), ("line", pa.int64()), ("sequence", pa.int32())])),
    ]
)
"""The schema of every shard; DESIGN: the data model."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row to write: a labelled sequence, and where it came from (``sequence`` counts within the source row)."""

    labelled: Labelled
    where: Where
    sequence: int


def to_batch(rows: Sequence[ShardRow]) -> pa.RecordBatch:
    """Return the rows as one record batch of ``SCHEMA``."""
    spans = [span for row in rows for span in row.labelled.spans]
    origin = SCHEMA.field("origin").type
    columns = [
        _lists([row.labelled.input_ids for row in rows]),
        _lists([row.labelled.labels for row in rows]),
        pa.ListArray.from_arrays(_offsets(len(row.labelled.spans) for row in rows), _span_array(spans)),
        pa.StructArray.from_arrays(
            [
                pa.array([row.where.file for row in rows], pa.string()),
                pa.array([row.where.line for row in rows], pa.int64()),
                pa.array([row.sequence for row in rows], pa.int32()),
            ],
            fields=list(origin),
        ),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _lists(arrays: Sequence[np.ndarray]) -> pa.ListArray:
    values = np.concatenate([*arrays, np.zeros(0, np.int64)]).astype(np.int32)
    return pa.ListArray.from_arrays(_offsets(map(len, arrays)), pa.array(values))


def _offsets(lengths: Iterable[int]) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum([*lengths], dtype=np.int64))).astype(np.int32))


def _span_array(spans: Sequence[Span]) -> pa.StructArray:
    kind = SCHEMA.field("spans").type.value_type
    columns = [pa.array([span[index] for span in spans], field.type) for index, field in enumerate(kind)]
    return pa.StructArray.from_arrays(columns, fields=list(kind))
