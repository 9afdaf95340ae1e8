"""A stored tree against the sequences that its source gives: each is looked for in it, and read off it.

    rebuilt   0  a b c d E        stored   a b c d E │ b' X y │ y' z W
              1  a b X y          paths    a b c d E
              2  a b X y z W               a b X y z W         holds sequence 1, too, which is its beginning

Every sequence must run along a path, with all that it trains; every path must end where some sequence ends; and every
trained token must be trained by exactly one sequence. The ids and labels that are handed on are the stored ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from maskprep.arrays import Bools, Ints, positions
from maskprep.dataset.trees import along, branches, leaves
from maskprep.examples import PreparedSequence
from maskprep.labelled import IGNORED, Labelled


def depths(row: Labelled) -> Ints:
    """Return the depth of each token of a row, which need not be a tree."""
    return positions([len(row.input_ids)]) if row.positions is None else row.positions


class StoredBranches:
    """The sequences of a stored tree, one for each that was rebuilt.

    Args:
        tree: the stored row.
        made: the sequences that its source gives.

    ``faults`` tells what is wrong with them once ``found`` was gone through.
    """

    def __init__(self, tree: Labelled, made: Sequence[PreparedSequence]) -> None:
        self._tree, self._made = tree, made
        self._trained = tree.labels != IGNORED
        self._paths = leaves(depths(tree))
        self._ended = np.zeros(len(self._paths), np.bool_)
        self._times = np.zeros(len(tree.input_ids), np.int64)
        self.faults: list[str] = []

    def found(self) -> Iterator[tuple[PreparedSequence, Labelled]]:
        """Yield each rebuilt sequence with the tokens, labels and spans that the stored row has of it."""
        for number, each in enumerate(self._made):
            path = self._path(each.labelled.input_ids)
            if path is None:
                self.faults.append(f"no path through it has the ids of sequence {number} of its source")
                continue
            wanted = each.labelled.labels != IGNORED
            there: Bools = wanted & self._trained[path]
            if not np.array_equal(wanted, there):
                at = int(path[np.flatnonzero(wanted & ~there)[0]])
                self.faults.append(f"token {at:,} is not trained, which sequence {number} of its source trains")
            self._times[path[wanted]] += 1
            yield each, along(self._tree, path, there)
        self.faults += self._left()

    def _path(self, ids: Ints) -> Ints | None:
        """Return the tokens of the tree that a sequence runs along, None where there are none."""
        # Those that end with it come first: the others only begin with it.
        order = sorted(range(len(self._paths)), key=lambda number: len(self._paths[number]) != len(ids))
        for number in order:
            path = self._paths[number][: len(ids)]
            if np.array_equal(self._tree.input_ids[path], ids):
                self._ended[number] |= len(path) == len(self._paths[number])
                return path
        return None

    def _left(self) -> Iterator[str]:
        """Yield what no sequence accounts for, and what several do."""
        starts = [start for start, _ in branches(depths(self._tree))]
        for number in np.flatnonzero(~self._ended).tolist():
            yield f"no sequence of its source ends with the branch at token {starts[number]:,}"
        for wrong, what in (
            (self._trained & (self._times == 0), "is trained, which no sequence of its source trains"),
            (self._times > 1, "is trained by more than one sequence of its source"),
        ):
            if wrong.any():
                yield f"token {int(np.flatnonzero(wrong)[0]):,} {what}"
