"""The rows by themselves: labels are ids at their place, spans tile, and only the parts asked for are trained.

Everything is computed on whole batches with numpy; memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskprep.arrays import Bools, Ints, positions
from maskprep.dataset import trees
from maskprep.dataset.columns import Columns, batches
from maskprep.dataset.stored import StoredShard
from maskprep.errors import BuildError
from maskprep.labelled import IGNORED
from maskprep.verify.order import Arrangement, OrderCheck
from maskprep.verify.result import Faults, Result

_ADVICE = "build it again with maskprep; should the same fault come back, report it with the row that is named"


@dataclass(frozen=True, slots=True)
class Expected:
    """The facts that rows must agree with: the vocabulary (True at each id that exists), the pad id, and the policy."""

    vocabulary: Bools
    pad: int | None
    roles: Collection[str]
    parts: Collection[str]
    arrangement: Arrangement

    @classmethod
    def of(cls, tokenizer: Any, config: Mapping[str, Any]) -> Expected:
        """Return the facts of a tokenizer and a configuration."""
        ids = np.fromiter(tokenizer.get_vocab().values(), np.int64)
        known = np.zeros(int(ids.max(initial=-1)) + 1, np.bool_)
        known[ids] = True
        train = config["train"]
        roles, parts = frozenset(train["roles"]), frozenset(train["parts"])
        return cls(known, tokenizer.pad_token_id, roles, parts, Arrangement.of(config))


def check_structure(shards: Sequence[StoredShard], expected: Expected, advance: Callable[[int], None]) -> Result:
    """Return the result of checking every row of every shard; ``advance`` is called with the rows seen since the last.

    Raises:
        BuildError: a shard cannot be read.
    """
    check = _StructureCheck(expected)
    for number, shard in enumerate(shards):
        if number and shard.path.parent != shards[number - 1].path.parent:
            check.begin_split()
        try:
            for columns in batches(shard):
                check.see(columns)
                advance(len(columns))
        except BuildError as error:
            raise BuildError(f"{shard.path.name}: {error.message}") from error
    check.end()
    return check.faults.result(
        "structure",
        "every label is -100 or the id at its place, spans tile every row, and only what may be trained is",
        "rows are not what a trainer must be given",
        _ADVICE,
        figures={
            "rows": check.rows,
            "tokens": check.tokens,
            "trained_tokens": check.trained,
            **({"trees": check.trees} if check.trees else {}),
        },
    )


class _StructureCheck:
    def __init__(self, expected: Expected) -> None:
        self.expected, self.faults = expected, Faults()
        self.rows = self.tokens = self.trained = self.trees = 0
        self._base = 0  # number of the batch's first row
        self._rows = OrderCheck(expected.arrangement)

    def see(self, columns: Columns) -> None:
        self._base = self.rows
        self.rows += len(columns)
        self.tokens += len(columns.ids)
        self._order(columns)
        numbers = np.arange(self._base, self._base + len(columns))
        equal = np.diff(columns.id_edges) == np.diff(columns.label_edges)
        self._note(numbers[~equal], "input_ids and labels are of different lengths")
        self._note(numbers[~columns.restarts], "position_ids do not count from 0 in a document of a packed row")
        columns, numbers = columns.keep(equal), numbers[equal]
        self._labels(columns, numbers)
        self._trees(columns, numbers)
        tiled = _tiles(columns)
        self._note(numbers[~tiled], "the spans do not tile the row")
        columns, numbers = columns.keep(tiled), numbers[tiled]
        self._spans(columns, numbers)

    def _note(self, rows: Ints, text: str) -> None:
        found = np.unique(rows)
        if len(found):
            shown = ", ".join(map(str, found[:5].tolist())) + (" …" if len(found) > 5 else "")  # noqa: PLR2004
            self.faults.add(f"{text}: row {shown}", len(found))

    def _order(self, columns: Columns) -> None:
        for place, row in self._rows.see(columns):
            self._note(np.asarray([self._base + place]), f"the rows stand in another order than their sources, {row}")

    def begin_split(self) -> None:
        """Begin another split, whose rows begin with the first source again."""
        self._rows.begin_split()

    def end(self) -> None:
        """Note the faults that only all rows together show: rows that occur too often."""
        for row in self._rows.repeated():
            self.faults.add(f"{row} gave more rows than it should, or rows in two splits")

    def _labels(self, columns: Columns, numbers: Ints) -> None:
        ids, labels = columns.ids, columns.labels
        row_of = np.repeat(numbers, np.diff(columns.id_edges))
        known = self.expected.vocabulary
        inside = (ids >= 0) & (ids < len(known))
        inside[inside] = known[ids[inside]]
        self._note(row_of[~inside], "an id is not in the tokenizer's vocabulary")
        trained = labels != IGNORED
        self.trained += int(trained.sum())
        wrong = trained & (labels != ids)
        if wrong.any():
            ahead, behind = (bool((np.roll(ids, by)[wrong] == labels[wrong]).mean() > 0.9) for by in (-1, 1))  # noqa: PLR2004
            shifted = "; they are shifted by one, which the model does itself" if ahead or behind else ""
            self._note(row_of[wrong], f"labels are neither -100 nor the id at their place{shifted}")
        if columns.weights is not None:
            odd = ~np.isfinite(columns.weights) | ((columns.weights > 0) != trained)
            self._note(row_of[odd], "the weight of a token is not above 0 where it is trained, and 0 elsewhere")
        lengths = np.diff(columns.id_edges)
        starts = columns.id_edges[:-1][lengths > 0]
        self._note(numbers[lengths > 0][trained[starts]], "the first token is trained, though nothing precedes it")
        before = np.concatenate(([0], np.cumsum(trained)))
        counts = before[columns.id_edges[1:]] - before[columns.id_edges[:-1]]
        self._note(numbers[counts == 0], "the row trains nothing: its loss is no number")

    def _trees(self, columns: Columns, numbers: Ints) -> None:
        """Check the depths of trees, their copies, and until where each token is seen."""
        if columns.positions is None or columns.until is None:
            return
        lengths = np.diff(columns.id_edges)
        plain = (columns.positions == positions(lengths)) & (columns.until == np.repeat(lengths, lengths))
        others = np.unique(np.repeat(np.arange(len(columns)), lengths)[~plain])
        self.trees += len(others)
        for row in others.tolist():
            cut = slice(*columns.id_edges[row : row + 2].tolist())
            fault = trees.fault(columns.ids[cut], columns.labels[cut], columns.positions[cut], columns.until[cut])
            if fault:
                self.faults.add(f"row {numbers[row]}: {fault}")

    def _spans(self, columns: Columns, numbers: Ints) -> None:
        spans = columns.spans
        lengths = spans.end - spans.start
        by_span = np.repeat(spans.trained, lengths)
        row_of = np.repeat(numbers, np.diff(columns.id_edges))
        self._note(
            row_of[by_span != (columns.labels != IGNORED)], "the labels do not train what the spans say is trained"
        )
        span_row = np.repeat(numbers, np.diff(columns.span_edges))
        for names, codes, allowed, what in (
            (spans.roles, spans.role, self.expected.roles, "role"),
            (spans.parts, spans.part, self.expected.parts, "part"),
        ):
            for code, name in enumerate(names):
                if name not in allowed:
                    at = (codes == code) & spans.trained
                    self._note(
                        span_row[at], f"tokens of the {what} {name} are trained, which the configuration does not train"
                    )
        self._note(span_row[spans.trained & (spans.message < 0)], "trained tokens belong to no message")
        self._pads(columns, numbers)

    def _pads(self, columns: Columns, numbers: Ints) -> None:
        """Check that no padding is trained: of the pad ids that end a row, only the first may be a real token."""
        if self.expected.pad is None or not len(columns):
            return
        trained = np.concatenate(([0], np.cumsum(columns.labels != IGNORED)))
        others = np.where(columns.ids != self.expected.pad, np.arange(len(columns.ids)), -1)
        starts, ends = columns.id_edges[:-1], columns.id_edges[1:]
        filled = ends > starts
        last = np.maximum.accumulate(others)[ends[filled] - 1]
        tails = np.maximum(last, starts[filled] - 1) + 1
        # The pad token may be the stop token, too: then the one at the end of the last turn is trained, no other.
        behind = trained[ends[filled]] - trained[np.minimum(tails + 1, ends[filled])]
        self._note(numbers[filled][behind > 0], "pad tokens at the end of the row are trained")


def _tiles(columns: Columns) -> Bools:
    """Tell of each row whether its spans tile it: from 0 to its end, with no gap and no overlap."""
    spans, edges = columns.spans, columns.span_edges
    counts = np.diff(edges)
    row_of = np.repeat(np.arange(len(columns)), counts)
    before = np.concatenate(([0], spans.end[:-1])) if len(spans.end) else spans.end
    before[edges[:-1][counts > 0]] = 0
    good = np.ones(len(columns), np.bool_)
    good[row_of[(spans.start != before) | (spans.end <= spans.start)]] = False
    lengths = np.diff(columns.id_edges)
    ends = np.zeros(len(columns), np.int64)
    ends[counts > 0] = spans.end[edges[1:][counts > 0] - 1]
    good &= ends == lengths
    return good
