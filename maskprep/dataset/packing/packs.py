"""Lengths of documents ─▶ packs: the same input gives the same packs on any machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maskprep.arrays import Ints
from maskprep.dataset.packing.bins import best_fit, in_order
from maskprep.policy import Strategy


@dataclass(frozen=True, slots=True)
class Packs:
    """Documents put into packs: pack ``i`` holds the documents ``order[offsets[i]:offsets[i + 1]]``.

    ``order`` (int64, one item a document) names each document once; ``offsets`` has one item more than there are packs.
    """

    order: Ints
    offsets: Ints

    def __len__(self) -> int:
        """Return the number of packs."""
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Ints]:
        """Yield the documents of each pack."""
        for index in range(len(self)):
            yield self.documents(index)

    def documents(self, index: int) -> Ints:
        """Return the documents of pack ``index``, in their order in the row."""
        return self.order[self.offsets[index] : self.offsets[index + 1]]

    def shuffled(self, seed: int | Sequence[int]) -> Packs:
        """Return these packs in another order, which ``seed`` decides."""
        chosen = np.random.default_rng(seed).permutation(len(self))
        sizes = np.diff(self.offsets)[chosen]
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        places = np.repeat(self.offsets[:-1][chosen] - offsets[:-1], sizes) + np.arange(len(self.order))
        return Packs(self.order[places], offsets)

    def fill(self, lengths: npt.ArrayLike, capacity: int) -> float:
        """Return how much of the packs is filled, from 0 to 1; 1 where there are none."""
        slots = len(self) * capacity
        return float(np.sum(np.asarray(lengths, np.int64)) / slots) if slots else 1.0


def pack(
    lengths: npt.ArrayLike,
    capacity: int,
    strategy: Strategy = Strategy.BEST_FIT,
    window: int | None = None,
    seed: int | Sequence[int] | None = None,
) -> Packs:
    """Return packs of documents with at most ``capacity`` tokens each.

    Args:
        lengths: tokens of each document; each from 1 to ``capacity``.
        capacity: tokens that a pack may have.
        strategy: ``best_fit`` takes as few packs as it can; ``in_order`` fills a pack with the documents that come
            next, and closes it before the first that does not fit.
        window: pack so many consecutive documents at a time, and not all of them together.
        seed: shuffles the packs of the whole; without it ``best_fit`` puts long documents first.

    Each document stays whole, and that is all that is promised of the sequences that one conversation was split into:
    they may lie in several packs, where no token sees another document anyway. Within a pack, documents keep their
    order. Memory is about 50 bytes a document of the window.

    Raises:
        ValueError: a document does not fit, is empty, or a setting makes no sense.
    """
    sizes = np.asarray(lengths, np.int64)
    _check(sizes, capacity, strategy, window)
    step = len(sizes) if window is None else window
    parts = [
        _packed(sizes[start : start + step], start, capacity, strategy) for start in range(0, len(sizes), step or 1)
    ]
    order = np.concatenate([np.zeros(0, np.int64), *(order for order, _ in parts)])
    counts = np.concatenate([np.zeros(1, np.int64), *(counts for _, counts in parts)])
    packs = Packs(order, np.cumsum(counts))
    return packs if seed is None else packs.shuffled(seed)


def _packed(sizes: Ints, first: int, capacity: int, strategy: Strategy) -> tuple[Ints, Ints]:
    """Return the documents in the order of their packs, counted from ``first``, and how many each pack has."""
    bins = best_fit(sizes, capacity) if strategy == Strategy.BEST_FIT else in_order(sizes, capacity)
    return np.argsort(bins, kind="stable") + first, np.bincount(bins)


def _check(sizes: Ints, capacity: int, strategy: str, window: int | None) -> None:
    if strategy not in set(Strategy):
        raise ValueError(f"strategy {strategy!r}: must be {' or '.join(Strategy)}")
    if capacity < 1 or (window is not None and window < 1):
        raise ValueError(f"capacity {capacity} and window {window} must be at least 1")
    if sizes.ndim != 1:
        raise ValueError("lengths must have one dimension")
    wrong = np.flatnonzero((sizes < 1) | (sizes > capacity))
    if len(wrong):
        at = int(wrong[0])
        msg = f"document {at} has {sizes[at]:,} tokens; each must have from 1 to {capacity:,} ({len(wrong):,} have not)"
        raise ValueError(msg)
