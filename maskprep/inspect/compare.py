"""Two masks compared: two builds, or what a source becomes under two configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from maskprep.conversation import Where
from maskprep.examples.inputs import Inputs
from maskprep.inspect.command import Output
from maskprep.inspect.views import RowView, Viewer
from maskprep.labelled import IGNORED, Labelled

RowKey = tuple[str, int, int]
"""File, line and sequence: what makes two rows the same row."""

Item = tuple[RowKey, Labelled]

_SHOWABLE = 1000  # rows without a counterpart so far that are kept whole


@dataclass(frozen=True, slots=True)
class MaskComparison:
    """The counts of what differs between two masks. Only rows with the same ids can be compared token by token.

    ``rows`` counts those of the first, and each of them is ``equal``, ``differing``, one with ``other_ids`` or
    ``missing_in_second``. ``only_first`` and ``only_second`` count tokens that are trained in one of the two alone.
    ``shown`` are the first rows that differ, as the first of the two has them.
    """

    first: str
    second: str
    rows: int
    equal: int
    differing: int
    only_first: int
    only_second: int
    other_ids: int
    missing_in_first: int
    missing_in_second: int
    shown: tuple[RowView, ...]

    def facts(self) -> dict[str, Any]:
        """Return the comparison as JSON types."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "shown"}
        return {**counts, "rows_shown": [view.facts() for view in self.shown]}


def compare(
    first: tuple[str, Iterable[Item]], second: tuple[str, Iterable[Item]], viewer: Viewer, limit: int
) -> MaskComparison:
    """Compare two named streams of rows, in whatever order each of them brings its rows.

    Streams in the order of their sources are read side by side. A row that has no counterpart yet is held as one bit a
    token.

    Args:
        first: name and rows of the first stream.
        second: name and rows of the second stream.
        viewer: shows the rows of the first stream.
        limit: how many of the differing rows to show.
    """
    tally = _MaskTally(viewer, limit)
    missed: dict[RowKey, _KeptRow] = {}
    held: dict[RowKey, _Mask] = {}
    rest, last = iter(second[1]), None
    rows = 0
    for number, (key, labelled) in enumerate(first[1]):
        mine, rows = _KeptRow(number, _Mask.of(labelled), labelled), rows + 1
        while key not in held and not _passed(last, key) and (item := next(rest, None)) is not None:
            last = item[0]
            _meet(tally, item, missed, held)
        if key in held:
            tally.add(key, mine, held.pop(key))
        else:
            missed[key] = mine if len(missed) < _SHOWABLE else replace(mine, labelled=None)
    for item in rest:
        _meet(tally, item, missed, held)
    return MaskComparison(
        first[0],
        second[0],
        rows,
        **tally.counts,
        missing_in_first=len(held),
        missing_in_second=len(missed),
        shown=tally.shown(),
    )


@dataclass(frozen=True, slots=True)
class _Mask:
    """The mask of a row in small, to be compared: a hash of the ids, and a bit for each token, set where trained."""

    ids: bytes
    length: int
    bits: bytes

    @classmethod
    def of(cls, labelled: Labelled) -> _Mask:
        digest = hashlib.blake2b(labelled.input_ids.astype(np.int64).tobytes(), digest_size=16).digest()
        return cls(digest, len(labelled.labels), np.packbits(labelled.labels != IGNORED).tobytes())

    def trained(self) -> npt.NDArray[np.bool_]:
        return np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.length).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class _KeptRow:
    """A row of the first stream; ``labelled`` is None for one that is not kept to be shown."""

    number: int
    mask: _Mask
    labelled: Labelled | None


def _passed(last: RowKey | None, key: RowKey) -> bool:
    """Tell whether a stream in the order of its source is beyond ``key`` with ``last``."""
    return last is not None and last[0] == key[0] and last[1] > key[1]


def _meet(tally: _MaskTally, theirs: Item, missed: dict[RowKey, _KeptRow], held: dict[RowKey, _Mask]) -> None:
    """Compare a row of the second stream with its counterpart in the first, or hold it until that comes."""
    key, mask = theirs[0], _Mask.of(theirs[1])
    if key in missed:
        tally.add(key, missed.pop(key), mask)
    else:
        held[key] = mask


class _MaskTally:
    """Counts the rows and tokens that differ, and keeps the first rows that do."""

    def __init__(self, viewer: Viewer, limit: int) -> None:
        self._viewer, self._limit = viewer, limit
        self._shown: dict[int, RowView] = {}
        self.counts = dict.fromkeys(("equal", "differing", "only_first", "only_second", "other_ids"), 0)

    def add(self, key: RowKey, mine: _KeptRow, theirs: _Mask) -> None:
        """Count a row of the first stream and its counterpart in the second."""
        if (mine.mask.ids, mine.mask.length) != (theirs.ids, theirs.length):
            self.counts["other_ids"] += 1
            return
        here, there = mine.mask.trained(), theirs.trained()
        equal = bool((here == there).all())
        self.counts["equal" if equal else "differing"] += 1
        self.counts["only_first"] += int((here & ~there).sum())
        self.counts["only_second"] += int((there & ~here).sum())
        if not equal and mine.labelled is not None:
            self._show(key, mine.number, mine.labelled, there)

    def shown(self) -> tuple[RowView, ...]:
        """Return the views of the rows that were kept, in order."""
        return tuple(self._shown[number] for number in sorted(self._shown))

    def _show(self, key: RowKey, number: int, mine: Labelled, there: npt.NDArray[np.bool_]) -> None:
        if len(self._shown) >= self._limit and number > max(self._shown):
            return
        view = self._viewer.view(number, Where(key[0], key[1], -1), key[2], mine)
        tokens = (replace(token, other=bool(there[token.index])) for token in view.tokens)
        self._shown[number] = replace(view, tokens=tuple(tokens))
        if len(self._shown) > self._limit:
            del self._shown[max(self._shown)]


def stored(output: Output) -> Iterator[Item]:
    """Yield the rows of a build, each once, though it may hold copies."""
    copied = any(source["weight"] > 1 for source in output.config["sources"])
    seen: set[RowKey] = set()
    for number in range(len(output.data)):
        row = output.row(number)
        key = (row.where.file, row.where.line, row.sequence)
        if key not in seen:
            yield key, row.labelled
        if copied:
            seen.add(key)


def prepared(inputs: Inputs) -> Iterator[Item]:
    """Yield the rows that a build would make of a source, and none of those that it would not use."""
    for row in chain.from_iterable(inputs.preparer.prepared(inputs.lines())):
        for index, sequence in enumerate(row.made.sequences if row.made is not None else ()):
            yield (row.line.where.file, row.line.where.line, index), sequence.labelled
