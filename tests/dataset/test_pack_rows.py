"""Batches of packed rows: the same as documents put together one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pack_reference import pack_row

from maskprep.conversation import Where
from maskprep.dataset.pack_rows import packed_batch, unpacked_batch
from maskprep.dataset.schema import Layout, ShardRow, to_batch, with_optional
from maskprep.labelled import IGNORED, Labelled, Span


def document(number, size, weighted):
    ids = np.arange(size, dtype=np.int64) + 100 * number
    labels = np.where(ids % 3 == 0, IGNORED, ids)
    labels[0] = IGNORED
    spans = (Span("user", "content", 0, 0, 1, trained=False), Span("assistant", "stop", 1, 1, size, trained=True))
    weights = np.where(labels == IGNORED, 0, 0.5).astype(np.float32) if weighted else None
    return Labelled(ids, labels, spans if size > 1 else spans[:1], weights)


DOCUMENTS = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=9)


@given(DOCUMENTS, st.data())
def test_a_batch_of_packs_is_what_packing_one_by_one_gives(kinds, data):
    documents = [document(number, *kind) for number, kind in enumerate(kinds)]
    edges = sorted({0, len(documents), *data.draw(st.lists(st.integers(0, len(documents))))})
    rows = [ShardRow(labelled, Where("f", number + 1, 0), 0) for number, labelled in enumerate(documents)]
    skipped = data.draw(st.booleans())
    batch = to_batch([*rows[:1], *rows])[1:] if skipped else to_batch(rows)  # a slice begins somewhere else
    packed = packed_batch(batch, np.diff(edges))
    weighted = any(kind[1] for kind in kinds)
    assert packed.schema.equals(Layout(weighted=weighted, packed=True).schema)
    packed.validate(full=True)
    again = unpacked_batch(packed)
    again.validate(full=True)
    assert again.equals(pa.Table.from_batches([batch]).combine_chunks().to_batches()[0])
    for index, (start, stop) in enumerate(pairwise(edges)):
        expected = pack_row(documents[start:stop])
        row = {name: packed.column(name)[index].as_py() for name in packed.schema.names}
        for name in ("input_ids", "labels", "position_ids", "seq_lengths"):
            assert row[name] == getattr(expected, name).tolist()
        assert [tuple(span.values()) for span in row["spans"]] == [tuple(span) for span in expected.spans]
        assert [origin["line"] for origin in row["origin"]] == list(range(start + 1, stop + 1))
        if weighted:
            assert all(
                (w > 0) == (label != IGNORED) for w, label in zip(row["loss_weights"], row["labels"], strict=True)
            )


def test_weights_are_said_where_none_were():
    plain = to_batch([ShardRow(document(1, 5, weighted=False), Where("f", 1, 0), 0)] * 3)[1:]
    told = with_optional(plain, ["loss_weights"])
    assert told.schema.equals(Layout(weighted=True).schema)
    labels, weights = (told.column(name).to_pylist() for name in ("labels", "loss_weights"))
    assert weights == [[float(label != IGNORED) for label in row] for row in labels]
    assert with_optional(told, ["loss_weights"]) is told


def test_log_probabilities_are_nan_where_none_were_and_stand_behind_the_weights():
    known = replace(document(1, 5, weighted=False), logprobs=np.asarray([np.nan, -1, -2, -3, -4], np.float32))
    batch = to_batch([ShardRow(each, Where("f", 1, 0), 0) for each in (known, document(2, 2, weighted=False))])
    told = with_optional(batch, ["loss_weights"])
    assert told.schema.equals(Layout(weighted=True, logprobs=True).schema)
    assert np.isnan(told.column("logprobs").values.to_numpy()).tolist() == [True] + [False] * 4 + [True] * 2
    assert unpacked_batch(packed_batch(told, np.asarray([2]))).column("logprobs").values.to_numpy()[1:5].tolist() == [
        *(-1, -2, -3, -4)
    ]


def test_a_schema_is_recognised_or_not():
    for layout in (Layout(*each) for each in product((False, True), repeat=4)):
        assert Layout.of(layout.schema) == layout
    assert Layout.of(pa.schema([("input_ids", pa.list_(pa.int32()))])) is None
    assert Layout.of(Layout().schema.remove(3)) is None
