"""Record batches of ours, by the layouts that there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from maskprep.conversation import Where
from maskprep.dataset.pack_rows import packed_batch
from maskprep.dataset.schema import Layout, ShardRow, to_batch, with_optional
from maskprep.labelled import IGNORED, Labelled, Span

LAYOUTS = [Layout(weighted, packed) for weighted in (False, True) for packed in (False, True)]
SAMPLED = [Layout(packed=packed, logprobs=True) for packed in (False, True)]
PLAIN = [layout for layout in LAYOUTS if not layout.weighted]


def document(ids, trained):
    """Return a document whose tokens ``trained`` are; the first never is."""
    ids = np.asarray(ids, np.int64)
    labels = np.where(np.asarray(trained, bool) & (np.arange(len(ids)) > 0), ids, IGNORED)
    spans = [Span("template", "scaffold", -1, 0, 1, trained=False)]
    if len(ids) > 1:
        spans.append(Span("assistant", "content", 1, 1, len(ids), trained=bool((labels[1:] != IGNORED).any())))
    return Labelled(ids, labels, tuple(spans))


def batch_of(documents, layout, counts=None):
    """Return documents as a batch; ``counts`` tells how many go into each packed row."""
    rows = [
        ShardRow(labelled, Where(f"file {number % 3}", number + 1, 0), number % 2)
        for number, labelled in enumerate(documents)
    ]
    if layout.logprobs:
        known = [np.linspace(-1, 0, len(each.labelled.input_ids), dtype=np.float32) for each in rows]
        rows = [
            replace(each, labelled=replace(each.labelled, logprobs=own)) for each, own in zip(rows, known, strict=True)
        ]
    batch = with_optional(to_batch(rows), layout.optional)
    if layout.packed:
        batch = packed_batch(batch, np.asarray([len(documents)] if counts is None else counts))
    return batch


_TOKENS = st.lists(st.tuples(st.integers(0, 70_000), st.booleans()), min_size=1, max_size=20)


@st.composite
def batches(draw, layouts=(*LAYOUTS, *SAMPLED)):
    """Draw a batch of any layout, be it a slice of a larger one."""
    layout = draw(st.sampled_from(layouts))
    documents = [document(*zip(*tokens, strict=True)) for tokens in draw(st.lists(_TOKENS, min_size=1, max_size=8))]
    cuts = sorted({0, len(documents), *draw(st.lists(st.integers(0, len(documents)), max_size=4))})
    batch = batch_of(documents, layout, np.diff(cuts))
    start = draw(st.integers(0, batch.num_rows))
    return layout, batch.slice(start, draw(st.integers(0, batch.num_rows - start)))
