"""The plan of batches: which documents go into which batch of which rank. Each rank computes all of it, by itself.

an epoch      documents in a random order
windows       [. . . . . . .] [. . . . . . .]      packed one after another, as many documents at a time
packs         [..][...][.]  … in a random order
steps         |rank 0|rank 1|rank 2|                 batch_size packs each, in turn
the last      |rank 0|rank 1|rank 2|                 what is left over, so dealt that no rank goes without
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from maskprep.arrays import Ints
from maskprep.dataset.packing import pack
from maskprep.policy import Strategy


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """The settings that decide on the order of documents and packs; ``PackedLoader`` describes each."""

    weights: tuple[float, ...]
    length: int
    batch_size: int
    world_size: int
    seed: int
    shuffle: bool
    strategy: Strategy
    window: int


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The batches of every epoch.

    ``lengths`` has the tokens of each document; ``edges`` where folders begin, and the end of the last.
    """

    lengths: npt.NDArray[np.int32]
    edges: Ints
    order: OrderSettings

    def batches(self, epoch: int, rank: int) -> Iterator[list[Ints]]:
        """Yield the packs of each batch of a rank, as document numbers.

        All ranks have the same number of batches, and each document of the epoch is in one of them. A pack without
        documents stands where there are too few to give every rank one.
        """
        for step in self._steps(epoch):
            yield step[rank]

    def _steps(self, epoch: int) -> Iterator[list[list[Ints]]]:
        """Yield the packs of each rank, step by step."""
        size = self.order.batch_size * self.order.world_size
        waiting: list[Ints] = []
        for one in self._packs(epoch):
            waiting.append(one)
            if len(waiting) > 2 * size:
                yield _dealt(waiting[:size], self.order.world_size)
                del waiting[:size]
        yield from self._last(waiting)

    def _last(self, packs: list[Ints]) -> Iterator[list[list[Ints]]]:
        """Yield the last steps, two at most: packs are taken apart where there are fewer than ranks to serve."""
        size = self.order.batch_size * self.order.world_size
        steps = -(-len(packs) // size)
        packs = packs.copy()
        while len(packs) < steps * self.order.world_size:
            most = max(range(len(packs)), key=lambda index: (len(packs[index]), -index))
            half = len(packs[most]) // 2
            packs.append(packs[most][:half])  # of a single document: nothing
            packs[most] = packs[most][half:]
        final = max(len(packs) - (steps - 1) * size, self.order.world_size)
        for part in (packs[: len(packs) - final], packs[len(packs) - final :]):
            if part:
                yield _dealt(part, self.order.world_size)

    def _packs(self, epoch: int) -> Iterator[Ints]:
        documents = self._documents(epoch)
        windows = -(-len(documents) // self.order.window)
        for number in range(windows):  # of one size, so that none is too small to be filled well
            some = documents[number * len(documents) // windows : (number + 1) * len(documents) // windows]
            seed = (self.order.seed, epoch, number) if self.order.shuffle else None
            for members in pack(self.lengths[some], self.order.length, self.order.strategy, seed=seed):
                yield some[members]

    def _documents(self, epoch: int) -> Ints:
        """Return the documents of an epoch, in its order."""
        chosen = [
            self._of_folder(int(first), int(end - first), share, epoch)
            for first, end, share in zip(self.edges[:-1], self.edges[1:], self.order.weights, strict=True)
        ]
        documents = np.concatenate(chosen)
        documents = documents[self.lengths[documents] > 0]  # in a row without tokens there is nothing to lose
        return (
            np.random.default_rng((self.order.seed, epoch)).permutation(documents) if self.order.shuffle else documents
        )

    def _of_folder(self, first: int, size: int, share: float, epoch: int) -> Ints:
        """Return the documents of a folder as often as its weight says; for a fraction some, others each epoch."""
        whole, rest = divmod(share, 1)
        some = round(rest * size)
        order = np.random.default_rng((self.order.seed, first)).permutation(size) if some else np.zeros(0, np.int64)
        taken = np.sort(order[(epoch * some + np.arange(some)) % size]) if some else order
        return np.concatenate([*[np.arange(size)] * int(whole), taken]) + first


def _dealt(packs: Sequence[Ints], ranks: int) -> list[list[Ints]]:
    """Return the packs dealt out to ranks: none gets more than one pack more than another."""
    each, over = divmod(len(packs), ranks)
    edges = [rank * each + min(rank, over) for rank in range(ranks + 1)]
    return [list(packs[start:stop]) for start, stop in pairwise(edges)]
