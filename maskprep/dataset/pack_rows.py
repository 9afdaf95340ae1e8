"""Rows put end to end: batches of one document a row become batches of several.

documents      [a b c d] [e f g] [h i]          two packs, of 2 and 1
input_ids      [a b c d e f g] [h i]
position_ids   [0 1 2 3 0 1 2] [0 1]            models see by the restart where a document begins
seq_lengths    [4 3] [2]
labels         the first of each document is -100: what stands before it is not its prompt
visible_until  counts from the row's first token, where documents may be trees: no token is seen behind its document
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from maskprep.arrays import Ints, positions
from maskprep.dataset.profiles.arrays import flat, inner, lists
from maskprep.dataset.schema import VISIBLE, Layout
from maskprep.labelled import IGNORED


def packed_batch(documents: Any, counts: Ints) -> Any:
    """Return a record batch of packed rows.

    Args:
        documents: a record batch of one document a row, none of them empty, in the order in which they are packed.
        counts: how many of them each packed row takes, in order (int64); they add up to the documents.
    """
    single = Layout.told(documents.schema.names)
    ids, edges = flat(documents.column("input_ids"))
    labels, _ = flat(documents.column("labels"))
    lengths = np.diff(edges)
    firsts = np.concatenate(([0], np.cumsum(counts)))
    tokens = edges[firsts]
    labels = labels.copy()
    labels[edges[:-1]] = IGNORED
    spans = documents.column("spans")
    held, span_edges = inner(spans)
    shift = edges[:-1] - np.repeat(tokens[:-1], counts)
    number = np.arange(len(lengths)) - np.repeat(firsts[:-1], counts)
    each = np.diff(span_edges)
    layout = replace(single, packed=True)
    kind = layout.schema.field("spans").type.value_type
    moved = {name: held.field(name).to_numpy() + np.repeat(shift, each) for name in ("start", "end")}
    fields = [
        pa.array(np.repeat(number, each), pa.int32()),
        *(held.field(name) for name in ("role", "part", "message")),
        pa.array(moved["start"], pa.int32()),
        pa.array(moved["end"], pa.int32()),
        held.field("trained"),
    ]
    columns = [
        lists(ids, tokens),
        lists(labels, tokens),
        lists(flat(documents.column("position_ids"))[0] if layout.trees else positions(lengths), tokens),
        lists(lengths, firsts),
        *([lists(flat(documents.column(VISIBLE))[0] + np.repeat(shift, lengths), tokens)] if layout.trees else []),
        pa.ListArray.from_arrays(_edges(span_edges[firsts]), pa.StructArray.from_arrays(fields, fields=list(kind))),
        pa.ListArray.from_arrays(_edges(firsts), documents.column("origin")),
    ]
    if layout.weighted:
        weights, _ = flat(documents.column("loss_weights"))
        weights = weights.copy()
        weights[edges[:-1]] = 0
        columns.append(pa.ListArray.from_arrays(_edges(tokens), pa.array(weights, pa.float32())))
    if layout.logprobs:
        columns.append(lists(flat(documents.column("logprobs"))[0], tokens, pa.float32()))
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def _edges(edges: Ints) -> Any:
    return pa.array(edges.astype(np.int32))


def unpacked_batch(packed: Any) -> Any:
    """Return the documents of a batch of packed rows as a record batch of one document a row.

    Raises:
        ValueError: the documents of a row do not make up the row.
    """
    layout = replace(Layout.told(packed.schema.names), packed=False)
    ids, tokens = flat(packed.column("input_ids"))
    lengths, firsts = flat(packed.column("seq_lengths"))
    edges = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    held, span_edges = inner(packed.column("spans"))
    origins, origin_edges = inner(packed.column("origin"))
    if not np.array_equal(edges[firsts], tokens) or not np.array_equal(origin_edges, firsts):
        raise ValueError("the lengths of its documents do not add up to its rows")
    # Which document, of all of them, a span belongs to: its number within the row, behind those of earlier rows.
    owner = held.field("document").to_numpy() + np.repeat(firsts[:-1], np.diff(span_edges))
    if (np.diff(owner) < 0).any() or (len(owner) and not 0 <= owner[0] <= owner[-1] < len(lengths)):
        raise ValueError("its spans are not in the order of its documents")
    shifts = edges[:-1] - np.repeat(tokens[:-1], np.diff(firsts))
    shift = shifts[owner]
    kind = layout.schema.field("spans").type.value_type
    fields = [
        *(held.field(name) for name in ("role", "part", "message")),
        pa.array(held.field("start").to_numpy() - shift, pa.int32()),
        pa.array(held.field("end").to_numpy() - shift, pa.int32()),
        held.field("trained"),
    ]
    columns = [
        lists(ids, edges),
        lists(flat(packed.column("labels"))[0], edges),
        *([lists(flat(packed.column("position_ids"))[0], edges)] if layout.trees else []),
        *([lists(flat(packed.column(VISIBLE))[0] - np.repeat(shifts, lengths), edges)] if layout.trees else []),
        pa.ListArray.from_arrays(
            _edges(np.searchsorted(owner, np.arange(len(lengths) + 1))),
            pa.StructArray.from_arrays(fields, fields=list(kind)),
        ),
        origins,
    ]
    columns += [lists(flat(packed.column(name))[0], edges, pa.float32()) for name in layout.optional]
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)
