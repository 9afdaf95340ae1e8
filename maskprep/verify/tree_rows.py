"""The rows of a sample that are run as trees: a few, the shortest; a tree of 12,000 tokens may unroll to 170,000."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import VISIBLE
from maskprep.labelled import IGNORED
from maskprep.verify.tree_row import TreeRow

ROWS = 6
"""How many rows are run at most."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows to run as trees. ``trees`` is how many of the sampled rows are; ``flags`` tell what is not run."""

    rows: tuple[TreeRow, ...]
    trees: int
    flags: tuple[str, ...]


def tree_rows(data: StoredDataSet, numbers: Sequence[int]) -> Chosen:
    """Return what is run of the rows ``numbers``: where rows are packed, the packed rows that hold them.

    Raises:
        BuildError: a row cannot be read.
    """
    counts, sizes = data.branches
    trees = [number for number in numbers if counts[number] > 1]
    shortest = sorted(trees, key=lambda number: int(sizes[number]))[:ROWS]
    flags: tuple[str, ...] = ()
    if len(shortest) < len(trees):
        flags = (f"{len(shortest):,} of the {len(trees):,} trees in the sample, the shortest, to bound the time",)
    return Chosen(tuple(_rows(data, shortest)), len(trees), flags)


def _rows(data: StoredDataSet, numbers: Sequence[int]) -> Iterator[TreeRow]:
    """Yield the rows that hold some documents, which are the documents themselves where rows are not packed."""
    places = {number: data.place(number) for number in numbers}
    packed = sorted({place[0] for place in places.values() if place is not None})
    rows = packed or sorted(numbers)
    for number, batch in zip(rows, data.packs(rows), strict=True):
        yield _row(f"packed row {number}" if packed else f"row {number}", batch)


def _row(name: str, batch: Any) -> TreeRow:
    ids, labels, positions, until = (_flat(batch, each) for each in ("input_ids", "labels", "position_ids", VISIBLE))
    lengths = _flat(batch, "seq_lengths") if "seq_lengths" in batch.schema.names else np.asarray([len(ids)])
    weights = (labels != IGNORED).astype(np.float32)
    if "loss_weights" in batch.schema.names:
        weights = np.asarray(batch.column("loss_weights")[0].values.to_numpy(zero_copy_only=False), np.float32)
    starts = tuple(accumulate(lengths.tolist()[:-1], initial=0))
    return TreeRow(name, ids, labels, weights, positions, until, starts)


def _flat(batch: Any, name: str) -> Ints:
    return np.asarray(batch.column(name)[0].values.to_numpy(zero_copy_only=False), np.int64)
