"""A row that holds trees, and the sequences in it, read off depths and ids without ``visible_until``.

    token     0  1  2  3  4  5  6  7  8
    ids       a  b  c  d  b' x  x' y  z
    depth     0  1  2  3  1  2  2  3  4
    latest    the latest token of each depth: when a token of depth 1 opens a branch, all deeper ones are forgotten

    branch 0:4   path  0 1 2 3          trains what is trained in 0:4
    branch 4:6   path  0 4 5            token 4 has the id of the token that was the latest of depth 1: token 1
    branch 6:9   path  0 4 6 7 8

This is not how ``dataset/trees.py`` reads a tree, by intent: what both make of the same columns must agree.

Of a long row, tokens may be left out anywhere: those that are kept must see each other as they do in the whole row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from maskprep.arrays import Bools, Floats, Ints
from maskprep.dataset.trees import branches
from maskprep.labelled import IGNORED


class BrokenDepthsError(ValueError):
    """The depths of a row are none of a tree."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """An ordinary sequence of a row, that of the branch ``start:end``, which hangs on token ``origin``.

    ``path`` are the tokens of the row that it goes through, ``ids`` their ids (for a copy, those of the token that it
    copies), ``depths`` their places in it. Only tokens of its own branch are trained: ``trained`` is True there. What
    it shares with an earlier branch is trained in that.
    """

    start: int
    end: int
    origin: int
    path: Ints
    ids: Ints
    depths: Ints
    trained: Bools

    def only(self, kept: Bools) -> Sequence:
        """Return it with those of its tokens alone that are True in ``kept`` (tokens of the row,)."""
        chosen = kept[self.path]
        # A token whose predecessor is gone is predicted by none.
        trained = self.trained & np.append([False], chosen[:-1])
        path, ids, depths = (each[chosen] for each in (self.path, self.ids, self.depths))
        return replace(self, path=path, ids=ids, depths=depths, trained=trained[chosen])


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A row as it is stored, packed or not, which ``name`` tells; documents begin at the tokens ``documents``.

    ``weights`` is how much each token counts in the loss.
    """

    name: str
    ids: Ints
    labels: Ints
    weights: Floats
    positions: Ints
    until: Ints
    documents: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.ids)

    def sequences(self) -> Iterator[Sequence]:
        """Yield the sequence of each branch.

        Raises:
            BrokenDepthsError: the depths are none of a tree.
        """
        latest: list[int] = []
        original = np.arange(len(self))
        opens = [start for start, _ in branches(self.positions)]
        for start, end in pairwise([*np.union1d(opens, self.documents).astype(np.int64).tolist(), len(self)]):
            depth = int(self.positions[start])
            if start in self.documents:
                latest = []
            if not 0 <= depth <= len(latest):
                raise BrokenDepthsError(f"token {start:,} is {depth:,} deep, which nothing ahead of it leads to")
            if depth < len(latest):
                original[start] = original[latest[depth]]
            latest[depth:] = range(start, end)
            path = np.asarray(latest, np.int64)
            trained = (path >= start) & (self.labels[path] != IGNORED)
            trained[depth] = False  # a copy, or the first token of all, which nothing predicts
            depths = np.arange(len(path))
            yield Sequence(start, end, int(original[start]), path, self.ids[original[path]], depths, trained)

    def around(self, sequences: list[Sequence], reach: int) -> Bools:
        """Tell of each token whether it stands within ``reach`` of where one of some branches hangs, opens or ends."""
        kept = np.zeros(len(self), np.bool_)
        for each in sequences:
            kept[each.start : min(each.start + reach, each.end)] = True
            kept[max(each.start, each.end - reach) : each.end] = True
            kept[max(0, each.origin - reach) : each.origin + reach] = True
        return kept

    def only(self, kept: Bools, sequences: list[Sequence]) -> TreeRow:
        """Return it with the tokens alone that are True in ``kept``, trained where they belong to these branches."""
        numbers = np.append([0], np.cumsum(kept))
        own = np.zeros(len(self), np.bool_)
        for each in sequences:
            own[each.start : each.end] = True
        labels = np.where(own & np.append([False], kept[:-1]), self.labels, IGNORED)[kept]
        return replace(
            self,
            ids=self.ids[kept],
            labels=labels,
            weights=self.weights[kept],
            positions=self.positions[kept],
            until=numbers[np.clip(self.until, 0, len(self))][kept],
            documents=tuple(int(numbers[start]) for start in self.documents),
        )
