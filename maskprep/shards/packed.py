"""Rows put end to end: batches of one document a row become batches of several.

documents      [a b c d] [e f g] [h i]          two packs, of 2 and 1
input_ids      [a b c d e f g] [h i]
position_ids   [0 1 2 3 0 1 2] [0 1]            models see by the restart where a document begins
seq_lengths    [4 3] [2]
labels         the first of each document is -100: what stands before it is not its prompt
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.labels import IGNORED
from maskprep.packing.rows import positions
from maskprep.shards.schema import Layout

Ints = npt.NDArray[np.int64]


def packed_batch(documents: Any, counts: Ints) -> Any:
    """Return a record batch of packed rows.

    Args:
        documents: a record batch of one document a row, none of them empty, in the order in which they are packed.
        counts: how many of them each packed row takes, in order (int64); they add up to the documents.
    """
    weighted = "loss_weights" in documents.schema.names
    ids, edges = _flat(documents.column("input_ids"))
    labels, _ = _flat(documents.column("labels"))
    lengths = np.diff(edges)
    firsts = np.concatenate(([0], np.cumsum(counts)))
    tokens = edges[firsts]
    labels = labels.copy()
    labels[edges[:-1]] = IGNORED
    spans = documents.column("spans")
    inner, span_edges = _inner(spans)
    shift = edges[:-1] - np.repeat(tokens[:-1], counts)
    number = np.arange(len(lengths)) - np.repeat(firsts[:-1], counts)
    each = np.diff(span_edges)
    layout = Layout(weighted=weighted, packed=True)
    kind = layout.schema.field("spans").type.value_type
    moved = {name: inner.field(name).to_numpy() + np.repeat(shift, each) for name in ("start", "end")}
    fields = [
        pa.array(np.repeat(number, each), pa.int32()),
        *(inner.field(name) for name in ("role", "part", "message")),
        pa.array(moved["start"], pa.int32()),
        pa.array(moved["end"], pa.int32()),
        inner.field("trained"),
    ]
    columns = [
        _lists(ids, tokens),
        _lists(labels, tokens),
        _lists(positions(lengths), tokens),
        _lists(lengths, firsts),
        pa.ListArray.from_arrays(_edges(span_edges[firsts]), pa.StructArray.from_arrays(fields, fields=list(kind))),
        pa.ListArray.from_arrays(_edges(firsts), documents.column("origin")),
    ]
    if weighted:
        weights, _ = _flat(documents.column("loss_weights"))
        weights = weights.copy()
        weights[edges[:-1]] = 0
        columns.append(pa.ListArray.from_arrays(_edges(tokens), pa.array(weights, pa.float32())))
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def _inner(column: Any) -> tuple[Any, Ints]:
    """Return what the lists of a column hold, end to end, and where each begins; from 0, whatever was sliced off."""
    edges = column.offsets.to_numpy().astype(np.int64)
    return column.values.slice(int(edges[0]), int(edges[-1] - edges[0])), edges - edges[0]


def _flat(column: Any) -> tuple[Any, Ints]:
    values, edges = _inner(column)
    return values.to_numpy(), edges


def _edges(edges: Ints) -> Any:
    return pa.array(edges.astype(np.int32))


def _lists(values: Ints, edges: Ints) -> Any:
    return pa.ListArray.from_arrays(_edges(edges), pa.array(values.astype(np.int32)))
