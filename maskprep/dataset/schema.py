"""The columns of a row, and rows as Arrow batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
_FLOATS = pa.list_(pa.float32())

OPTIONAL = ("loss_weights", "logprobs")
"""The columns that rows have only where some row says what is in them: how much each token counts in the loss, and the
log-probability with which it was sampled, NaN where it was not. Where some rows have one, all have it."""

VISIBLE = "visible_until"
"""The column that only trees have (``dataset/trees.py``)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns rows have.

    ``weighted``: a weight for each token; ``packed``: several documents a row; ``trees``: rows may be trees, and tell
    of each token how deep it is, and until where it is seen. ``logprobs``: the log-probability of each sampled token.
    """

    weighted: bool = False
    packed: bool = False
    trees: bool = False
    logprobs: bool = False

    @property
    def optional(self) -> tuple[str, ...]:
        """The names of the columns among ``OPTIONAL`` that rows have, in their order."""
        return tuple(name for name, held in zip(OPTIONAL, (self.weighted, self.logprobs), strict=True) if held)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every shard with these columns."""
        names = ["input_ids", "labels"]
        names += ["position_ids"] if self.packed or self.trees else []
        names += ["seq_lengths"] if self.packed else []
        names += [VISIBLE] if self.trees else []
        spans = pa.struct([*([("document", pa.int32())] if self.packed else []), *_KIND, *_PLACE])
        origin = pa.list_(_ORIGIN) if self.packed else _ORIGIN
        more = [(name, _FLOATS) for name in self.optional]
        return pa.schema([*((name, _IDS) for name in names), ("spans", pa.list_(spans)), ("origin", origin), *more])

    @classmethod
    def of(cls, schema: pa.Schema) -> Layout | None:
        """Return the layout of a shard's schema, None where it is none that maskprep writes."""
        layout = cls.told(schema.names)
        return layout if schema.equals(layout.schema) else None

    @classmethod
    def told(cls, names: Sequence[str]) -> Layout:
        """Return the layout that the names of columns speak of."""
        return cls("loss_weights" in names, "seq_lengths" in names, VISIBLE in names, "logprobs" in names)


SCHEMA = Layout().schema
"""The schema of shards whose rows are one sequence each, all of the same weight."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row to write: a labelled sequence, and where it came from (``sequence`` counts within the source row)."""

    labelled: Labelled
    where: Where
    sequence: int


def to_batch(rows: Sequence[ShardRow], *, trees: bool = False) -> pa.RecordBatch:
    """Return the rows as one record batch, with the ``OPTIONAL`` columns that any has, ``trees`` where asked."""
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
    optional = labelled.weights, labelled.logprobs
    columns += [
        pa.ListArray.from_arrays(tokens, pa.array(column.astype(np.float32)))
        for column in optional
        if column is not None
    ]
    weighted, sampled = (column is not None for column in optional)
    layout = Layout(weighted=weighted, trees=trees, logprobs=sampled)
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def _tree_columns(labelled: LabelledBatch, *, trees: bool) -> list[Kinds]:
    if not trees:
        return []
    depths = labelled.all_positions()
    return [column.astype(np.int32) for column in (depths, visible_in_batch(depths, labelled.limits))]


def with_optional(batch: pa.RecordBatch, names: Collection[str]) -> pa.RecordBatch:
    """Return a batch of rows with the ``OPTIONAL`` columns ``names``, filled where it has them not.

    The weights are then 1 for trained tokens and 0 for others, the log-probabilities are NaN.
    """
    held = batch.schema.names
    wanted = [name for name in OPTIONAL if name in names or name in held]
    if all(name in held for name in wanted):
        return batch
    labels = batch.column("labels")
    trained = labels.values.to_numpy() != IGNORED
    fills = {"loss_weights": trained.astype(np.float32), "logprobs": np.full(len(trained), np.nan, np.float32)}
    made = {name: batch.column(name) for name in held if name not in OPTIONAL}
    for name in wanted:
        filled = pa.ListArray.from_arrays(labels.offsets, pa.array(fills[name]))
        made[name] = batch.column(name) if name in held else filled
    fields = [batch.schema.field(name) if name in held else pa.field(name, _FLOATS) for name in made]
    return pa.RecordBatch.from_arrays(list(made.values()), schema=pa.schema(fields))


def _span_array(spans: SpanColumns) -> pa.StructArray:
    columns = [
        pa.array(spans.roles, pa.string()).take(pa.array(spans.role)),
        pa.array(spans.parts, pa.string()).take(pa.array(spans.part)),
        *(pa.array(column.astype(np.int32)) for column in (spans.message, spans.start, spans.end)),
        pa.array(spans.trained),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(SCHEMA.field("spans").type.value_type))
