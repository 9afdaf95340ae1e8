"""The columns of a row, and rows as Arrow batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from maskprep.conversation import Where
from maskprep.labelled import IGNORED, Labelled, LabelledBatch, SpanColumns

_IDS = pa.list_(pa.int32())
_KIND = [("role", pa.string()), ("part", pa.string()), ("message", pa.int32())]
_PLACE = [("start", pa.int32()), ("end", pa.int32()), ("trained", pa.bool_())]
_ORIGIN = pa.struct([("file", pa.string()), ("line", pa.int64()), ("sequence", pa.int32())])
_WEIGHTS = pa.field("loss_weights", pa.list_(pa.float32()))


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns rows have. ``weighted``: a weight for each token; ``packed``: several documents a row."""

    weighted: bool = False
    packed: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every shard with these columns."""
        if self.packed:
            spans = pa.struct([("document", pa.int32()), *_KIND, *_PLACE])
            fields = [("input_ids", _IDS), ("labels", _IDS), ("position_ids", _IDS), ("seq_lengths", _IDS)]
            schema = pa.schema([*fields, ("spans", pa.list_(spans)), ("origin", pa.list_(_ORIGIN))])
        else:
            spans = pa.struct([*_KIND, *_PLACE])
            schema = pa.schema([("input_ids", _IDS), ("labels", _IDS), ("spans", pa.list_(spans)), ("origin", _ORIGIN)])
        return schema.append(_WEIGHTS) if self.weighted else schema

    @classmethod
    def of(cls, schema: pa.Schema) -> Layout | None:
        """Return the layout of a shard's schema, None where it is none that maskprep writes."""
        layout = cls("loss_weights" in schema.names, "seq_lengths" in schema.names)
        return layout if schema.equals(layout.schema) else None


SCHEMA = Layout().schema
"""The schema of shards whose rows are one sequence each, all of the same weight."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row to write: a labelled sequence, and where it came from (``sequence`` counts within the source row)."""

    labelled: Labelled
    where: Where
    sequence: int


def to_batch(rows: Sequence[ShardRow]) -> pa.RecordBatch:
    """Return the rows as one record batch, which has weights where any of the rows has."""
    labelled = LabelledBatch.of([row.labelled for row in rows])
    tokens = pa.array(labelled.limits.astype(np.int32))
    columns = [
        pa.ListArray.from_arrays(tokens, pa.array(labelled.input_ids.astype(np.int32))),
        pa.ListArray.from_arrays(tokens, pa.array(labelled.labels.astype(np.int32))),
        pa.ListArray.from_arrays(pa.array(labelled.span_limits.astype(np.int32)), _span_array(labelled.spans)),
        pa.StructArray.from_arrays(
            [
                pa.array([row.where.file for row in rows], pa.string()),
                pa.array([row.where.line for row in rows], pa.int64()),
                pa.array([row.sequence for row in rows], pa.int32()),
            ],
            fields=list(_ORIGIN),
        ),
    ]
    if labelled.weights is not None:
        columns.append(pa.ListArray.from_arrays(tokens, pa.array(labelled.weights)))
    return pa.RecordBatch.from_arrays(columns, schema=Layout(weighted=labelled.weights is not None).schema)


def with_weights(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of rows without weights with a column of them: 1 for trained tokens, 0 for others."""
    if _WEIGHTS.name in batch.schema.names:
        return batch
    labels = batch.column("labels")
    weights = (labels.values.to_numpy() != IGNORED).astype(np.float32)
    column = pa.ListArray.from_arrays(labels.offsets, pa.array(weights))
    return pa.RecordBatch.from_arrays([*batch.columns, column], schema=batch.schema.append(_WEIGHTS))


def _span_array(spans: SpanColumns) -> pa.StructArray:
    columns = [
        pa.array(spans.roles, pa.string()).take(pa.array(spans.role)),
        pa.array(spans.parts, pa.string()).take(pa.array(spans.part)),
        *(pa.array(column.astype(np.int32)) for column in (spans.message, spans.start, spans.end)),
        pa.array(spans.trained),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(SCHEMA.field("spans").type.value_type))
