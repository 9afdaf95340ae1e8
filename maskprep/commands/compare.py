"""Two masks compared: two builds, or what a source becomes under two configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maskprep.commands.inputs import Inputs
from maskprep.commands.inspect import Output
from maskprep.commands.views import RowView, Viewer
from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats import parse
from maskprep.labels import IGNORED, Labelled
from maskprep.pipeline import guarded

Key = tuple[str, int, int]
"""File, line and sequence: what makes two rows the same row."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs. Only rows with the same ids can be compared token by token.

    ``only_first`` and ``only_second`` count tokens that are trained in one of the two alone, ``missing`` the rows that
    stand in one of the two alone. ``shown`` are the first rows that differ, as the first of the two has them.
    """

    first: str
    second: str
    rows: int
    equal: int
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
    first: tuple[str, Iterable[tuple[Key, Labelled]]],
    second: tuple[str, Iterable[tuple[Key, Labelled]]],
    viewer: Viewer,
    limit: int,
) -> Comparison:
    """Compare two named streams of rows; the second is held in memory as far as it is ahead of the first.

    Args:
        first: name and rows of the first.
        second: name and rows of the second.
        viewer: shows the rows of the first.
        limit: how many of the differing rows to show.
    """
    counts = dict.fromkeys(("rows", "equal", "only_first", "only_second", "other_ids", "missing_in_second"), 0)
    shown: list[RowView] = []
    waiting: dict[Key, Labelled] = {}
    rest = iter(second[1])
    for number, (key, mine) in enumerate(first[1]):
        while key not in waiting and (item := next(rest, None)) is not None:
            waiting[item[0]] = item[1]
        theirs = waiting.pop(key, None)
        counts["rows"] += 1
        if theirs is None:
            counts["missing_in_second"] += 1
        elif not np.array_equal(mine.input_ids, theirs.input_ids):
            counts["other_ids"] += 1
        else:
            here, there = mine.labels != IGNORED, theirs.labels != IGNORED
            counts["only_first"] += int((here & ~there).sum())
            counts["only_second"] += int((there & ~here).sum())
            counts["equal"] += int(np.array_equal(here, there))
            if len(shown) < limit and not np.array_equal(here, there):
                view = viewer.view(number, Where(key[0], key[1], -1), key[2], mine)
                tokens = (replace(token, other=bool(there[token.index])) for token in view.tokens)
                shown.append(replace(view, tokens=tuple(tokens)))
    missing = len(waiting) + sum(1 for _ in rest)
    return Comparison(first[0], second[0], **counts, missing_in_first=missing, shown=tuple(shown))


def stored(output: Output) -> Iterator[tuple[Key, Labelled]]:
    """Yield the rows of a build."""
    for number in range(len(output.data)):
        row = output.data.row(number)
        yield (row.where.file, row.where.line, row.sequence), row.labelled


def prepared(inputs: Inputs, rejected: Callable[[RowError], None] = lambda _: None) -> Iterator[tuple[Key, Labelled]]:
    """Yield the rows that a build would make of a source; ``rejected`` is told of those that it would not use."""
    for line in inputs.lines():
        try:
            with guarded():
                sequences = inputs.preparer.prepare(parse(line)).sequences
        except RowError as error:
            rejected(error)
            continue
        for index, sequence in enumerate(sequences):
            yield (line.where.file, line.where.line, index), sequence.labelled
