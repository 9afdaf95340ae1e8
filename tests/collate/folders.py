"""Small data sets on disk, whose tokens tell which document they are of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from finished import finish

from maskprep.conversation import Where
from maskprep.dataset import files
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.schema import Layout, ShardRow
from maskprep.labelled import IGNORED, Labelled


def make_document(name, size):
    """Return a document of ``size`` tokens, each of which is ``name``, all but the first of them trained."""
    ids = np.full(size, name)
    labels = ids.copy()
    labels[:1] = IGNORED
    return Labelled(ids, labels, ())


def make_tree(name):
    """Return a tree of seven tokens, as ``make_document`` makes documents: its second branch hangs on the second."""
    ids, depths = np.full(7, name), np.asarray([0, 1, 2, 3, 1, 2, 3])
    return Labelled(ids, np.where(np.isin(np.arange(7), [0, 4]), IGNORED, ids), (), None, depths)


def write(path, sizes, first=1, batch=7):
    """Write a build whose documents have these sizes and the names ``first``, ``first + 1`` …"""
    return write_all(path, [make_document(first + number, size) for number, size in enumerate(sizes)], batch)


def write_all(path, documents, batch=7, *, trees=False):
    """Write a build of these documents, some of which may be trees."""
    output = OutputFolder(str(path))
    output.claim()
    before, files.ROWS_PER_BATCH = files.ROWS_PER_BATCH, batch
    try:
        writer = files.ShardWriter(output.path, shard_bytes=2000, trees=trees)
        for number, document in enumerate(documents):
            writer.write(ShardRow(document, Where("a.jsonl", number + 1, 0), 0))
        receipts = finish(output.path, writer.close())
    finally:
        files.ROWS_PER_BATCH = before
    shards = [{"file": receipt.file, "rows": receipt.rows} for receipt in receipts]
    output.describe({"config": {}, "shards": shards}, Layout(trees=trees))
    output.commit(receipts, "0123456789abcdef0123")
    return output.path


def sizes(count, seed=0, longest=30):
    return np.random.default_rng(seed).integers(1, longest + 1, count).tolist()


def names(batch):
    """Return the documents of a batch of ``PackedCollator()``, in order; each must be there in full."""
    ends = batch["cu_seq_lens_q"].tolist()
    found = []
    for start, stop in pairwise(ends):
        of_document = set(batch["input_ids"][0, start:stop].tolist())
        assert len(of_document) == 1
        found.append((of_document.pop(), stop - start))
    return found
