"""The columns of a row, and rows as Arrow batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from maskprep.arrays import Kinds
from maskprep.conversation import Where
from maskprep.dataset.trees import visible_in_batch
from maskprep.labelled import IGNORED, Labelled, LabelledBatch, SpanColumns

_IDS = pa.list_(pa.int32())
_KIND = [("role", pa.string()), ("part", pa.string()), ("message", pa.int32())]
_PLACE = [("start", pa.int32()), ("end", pa.int32()), ("trained", pa.bool_())]
_ORIGIN = pa.struct([("file", pa.string()), ("line", pa.int64()), ("sequence", pa.int32())])
_WEIGHTS = pa.field("loss_weights", pa.list_(pa.float32()))

VISIBLE = "visible_until"
"""The column that only trees have (``dataset/trees.py``)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns rows have.

    ``weighted``: a weight for each token; ``packed``: several documents a row; ``trees``: rows may be trees, and tell
    of each token how deep it is, and until where it is seen.
    """

    weighted: bool = False
    packed: bool = False
    trees: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every shard with these columns."""
        names = ["input_ids", "labels"]
        names += ["position_ids"] if self.packed or self.trees else []
        names += ["seq_lengths"] if self.packed else []
        names += [VISIBLE] if self.trees else []
        spans = pa.struct([*([("document", pa.int32())] if self.packed else []), *_KIND, *_PLACE])
        origin = pa.list_(_ORIGIN) if self.packed else _ORIGIN
        schema = pa.schema([*((name, _IDS) for name in names), ("spans", pa.list_(spans)), ("origin", origin)])
        return schema.append(_WEIGHTS) if self.weighted else schema

    @classmethod
    def of(cls, schema: pa.Schema) -> Layout | None:
        """Return the layout of a shard's schema, None where it is none that maskprep writes."""
        layout = cls.told(schema.names)
        return layout if schema.equals(layout.schema) else None

    @classmethod
    def told(cls, names: Sequence[str]) -> Layout:
        """Return the layout that the names of columns speak of."""
        return cls(_WEIGHTS.name in names, "seq_lengths" in names, VISIBLE in names)


SCHEMA = Layout().schema
"""The schema of shards whose rows are one sequence each, all of the same weight."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row to write: a labelled sequence, and where it came from (``sequence`` counts within the source row)."""

    labelled: Labelled
    where: Where
    sequence: int


def to_batch(rows: Sequence[ShardRow], *, trees: bool = False) -> pa.RecordBatch:
    """Return the rows as one record batch, which has weights where any of the rows has, and ``trees`` where asked."""
    labelled = LabelledBatch.of([row.labelled for row in rows])
    tokens = pa.array(labelled.limits.astype(np.int32))
    columns = [
        pa.ListArray.from_arrays(tokens, pa.array(labelled.input_ids.astype(np.int32))),
        pa.ListArray.from_arrays(tokens, pa.array(labelled.labels.astype(np.int32))),
        *(pa.ListArray.from_arrays(tokens, pa.array(column)) for column in _tree_columns(labelled, trees=trees)),
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
    layout = Layout(weighted=labelled.weights is not None, trees=trees)
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def _tree_columns(labelled: LabelledBatch, *, trees: bool) -> list[Kinds]:
    if not trees:
        return []
    depths = labelled.all_positions()
    return [column.astype(np.int32) for column in (depths, visible_in_batch(depths, labelled.limits))]


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
