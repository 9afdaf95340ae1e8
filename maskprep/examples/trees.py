"""From the sequences of one conversation to one row: what they share is written once, as a tree.

    sequences   a b c d e          a b x y          a b x z
    inserted    a b ─┬─ c d e
                     └─ x ─┬─ y
                           └─ z
    written     a b c d e │ b' x y │ x' z           each branch but the first opens with a copy of what it hangs on

``dataset/trees.py`` says how a tree is read. A token that is trained in one sequence and is history in another is there
once, and trained. A tree that would be longer than it may be is divided: the sequences that follow go into another one,
with the beginning that they need.

Only the shape of a tree is found out conversation by conversation: the columns of all of them are taken together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from maskprep.arrays import Bools, Ints, limits_of
from maskprep.examples.prepared import Prepared, PreparedRow, PreparedSequence
from maskprep.labelled import IGNORED, Labelled, LabelledBatch, SpanColumns
from maskprep.policy import History


def apart_of(history: History) -> History:
    """Return the way of treating history by which the sequences are made: a tree is made of those of ``split``."""
    return History.SPLIT if history is History.TREE else history


def write_rows(rows: Sequence[PreparedRow], history: History, limit: int | None) -> None:
    """Make what is ``written`` of the sequences of some rows, or note why that cannot be done."""
    usable = [row for row in rows if row.made is not None]
    try:
        made = written([row.made for row in usable if row.made is not None], history, limit)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is of one of them, which meets it again alone
        if len(usable) > 1:
            for row in usable:
                write_rows([row], history, limit)
        else:
            usable[0].made = None
            usable[0].fail(error)
        return
    for row, each in zip(usable, made, strict=True):
        row.made = each


def written(many: Sequence[Prepared], history: History, limit: int | None) -> list[Prepared]:
    """Return what conversations become as it is written: as trees of at most ``limit`` tokens, for ``tree``.

    None of their sequences alone has more tokens than that.
    """
    several = [each for each in many if len(each.sequences) > 1] if history is History.TREE else []
    if not several:
        return list(many)
    batch = LabelledBatch.of([sequence.labelled for each in several for sequence in each.sequences])
    trained = _trained(batch)
    planned: list[list[_Tree]] = []
    first = 0
    for each in several:
        planned.append(list(_grown(batch, trained, first, first + len(each.sequences), limit)))
        first += len(each.sequences)
    labelled = iter(_joined(batch, [tree for trees in planned for tree in trees]))
    sequences = [sequence for each in several for sequence in each.sequences]
    made = iter(
        replace(each, sequences=tuple(_row([sequences[n] for n in tree.sequences], next(labelled)) for tree in trees))
        for each, trees in zip(several, planned, strict=True)
    )
    return [next(made) if len(each.sequences) > 1 else each for each in many]


def _row(sequences: Sequence[PreparedSequence], labelled: Labelled) -> PreparedSequence:
    """Return a tree of sequences as a row; one alone stays as it is."""
    if len(sequences) == 1:
        return sequences[0]
    unfaithful = sum(each.unfaithful for each in sequences)
    return replace(sequences[0], labelled=labelled, unfaithful=unfaithful, branches=tuple(sequences))


def _trained(batch: LabelledBatch) -> list[tuple[int, int]]:
    """Return the first trained token of each sequence, and one more than the last, counted from its own beginning."""
    places = np.flatnonzero(batch.labels != IGNORED)
    low, high = batch.limits[:-1], batch.limits[1:]
    first, last = places[np.searchsorted(places, low)] - low, places[np.searchsorted(places, high) - 1] + 1 - low
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _grown(
    batch: LabelledBatch, trained: list[tuple[int, int]], first: int, end: int, limit: int | None
) -> Iterator[_Tree]:
    """Yield the trees of the sequences ``first:end`` of a batch, which are those of one conversation."""
    ids, edges = batch.input_ids, batch.limits[first : end + 1].tolist()

    def root(number: int) -> int:
        return int(ids[edges[number - first]])

    # Sequences that begin with another token have nothing that both could hang on.
    for _, alike in groupby(sorted(range(first, end), key=root), key=root):
        tree = _Tree(batch, trained)
        for number in alike:
            if tree.sequences and not tree.takes(number, limit):
                yield tree
                tree = _Tree(batch, trained)
            tree.insert(number)
        yield tree


@dataclass(slots=True)
class _Node:
    """Tokens ``start:end`` of the sequences ``owners``, whose numbers are given, up to where these part.

    ``children`` are told apart by the token that they begin with.
    """

    owners: list[int]
    start: int
    end: int
    children: dict[int, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tokens of a batch that stand behind each other in a tree, the first of them ``depth`` deep there.

    ``opens``: they open a branch, and the first is a copy.
    """

    tokens: Ints
    depth: int
    opens: bool


class _Tree:
    """A tree that grows by one sequence of a batch at a time; all of them begin with the same token."""

    def __init__(self, batch: LabelledBatch, trained: list[tuple[int, int]]) -> None:
        self.sequences: list[int] = []
        self._size = 0
        self._batch, self._trained, self._limits = batch, trained, batch.limits
        self._root = _Node([], 0, 0)

    def takes(self, number: int, limit: int | None) -> bool:
        """Tell whether a sequence may join: the tree stays short enough, and none of its tokens is trained twice.

        Two windows of a conversation may say the same: then their trained tokens count twice, as those of two rows.
        """
        ids = self._ids(number)
        way = self._way(ids)
        node, common = way[-1]
        at = node.start + common
        if limit is not None and self._size + self._more(node, common, len(ids) - at) > limit:
            return False
        return self._trained[number][0] >= at or not self._trains(number, way)

    def _trains(self, number: int, way: Sequence[tuple[_Node, int]]) -> bool:
        """Tell whether some token that a sequence trains is trained in the tree already."""
        for node, common in way:
            own = self._is_trained(number, node.start, node.start + common)
            for other in node.owners if own.any() else ():
                if (own & self._is_trained(other, node.start, node.start + common)).any():
                    return True
        return False

    def _is_trained(self, number: int, start: int, end: int) -> Bools:
        low = int(self._limits[number])
        trained: Bools = self._batch.labels[low + start : low + end] != IGNORED
        return trained

    def insert(self, number: int) -> None:
        """Add a sequence."""
        ids = self._ids(number)
        self.sequences.append(number)
        way = self._way(ids)
        node, common = way[-1]
        at = node.start + common
        self._size += self._more(node, common, len(ids) - at)
        if at < node.end:
            after = int(self._ids(node.owners[0])[at])
            node.children = {after: _Node(node.owners.copy(), at, node.end, node.children)}
            node.end = at
        for passed, _ in way:
            passed.owners.append(number)
        if at < len(ids):
            node.children[int(ids[at])] = _Node([number], at, len(ids))

    def pieces(self) -> Iterator[_Piece]:
        """Yield the tokens of the tree as they are written: depth first, of branches the one inserted first."""
        waiting = [(self._root, False)]
        while waiting:
            node, opens = waiting.pop()
            first = node.start - 1 if opens else node.start
            if first < node.end:
                yield _Piece(self._tokens(node, first), first, opens)
            children = [*node.children.values()]
            waiting += [(child, place > 0) for place, child in reversed([*enumerate(children)])]

    def _tokens(self, node: _Node, first: int) -> Ints:
        """Return the tokens ``first:node.end`` of those sequences that train them, or else of the first one."""
        low = int(self._limits[node.owners[0]])
        tokens = np.arange(low + first, low + node.end)
        for other in node.owners[1:]:
            begins, ends = self._trained[other]
            if begins < node.end and ends > first:
                mine = self._is_trained(other, first, node.end)
                tokens[mine] = np.flatnonzero(mine) + int(self._limits[other]) + first
        return tokens

    def _ids(self, number: int) -> Ints:
        return self._batch.input_ids[int(self._limits[number]) : int(self._limits[number + 1])]

    def _way(self, ids: Ints) -> list[tuple[_Node, int]]:
        """Return the nodes that ids run through, with how many tokens of each: all of it but of the last, maybe."""
        way = [(self._root, 0)]
        while True:
            node, common = way[-1]
            at = node.start + common
            child = node.children.get(int(ids[at])) if at == node.end and at < len(ids) else None
            if child is None:
                return way
            end = min(child.end, len(ids))
            differs = self._ids(child.owners[0])[at:end] != ids[at:end]
            place = int(differs.argmax())
            way.append((child, place if differs[place] else end - at))

    @staticmethod
    def _more(node: _Node, common: int, rest: int) -> int:
        """Return by how many tokens the tree grows where ``rest`` tokens follow ``common`` ones of a node."""
        branches = node.start + common < node.end or bool(node.children)
        return rest + (1 if branches and rest and node.owners else 0)


def _joined(batch: LabelledBatch, trees: Sequence[_Tree]) -> LabelledBatch:
    """Return trees of the sequences of a batch, end to end."""
    pieces = [list(tree.pieces()) for tree in trees]
    flat = [piece for own in pieces for piece in own]
    tokens = np.concatenate([piece.tokens for piece in flat])
    starts = limits_of(len(piece.tokens) for piece in flat)
    limits = starts[limits_of(map(len, pieces))]
    depths = np.asarray([piece.depth for piece in flat], np.int64)
    positions = np.arange(len(tokens)) + np.repeat(depths - starts[:-1], np.diff(starts))
    opens = starts[:-1][[piece.opens for piece in flat]]
    labels = batch.labels[tokens]
    labels[opens] = IGNORED
    weights = None if batch.weights is None else batch.weights[tokens]
    if weights is not None:
        weights[opens] = 0
    logprobs = None if batch.logprobs is None else batch.logprobs[tokens]
    if logprobs is not None:
        logprobs[opens] = np.nan
    spans, span_limits = _spans(batch, tokens, labels != IGNORED, limits, opens)
    return LabelledBatch(batch.input_ids[tokens], labels, limits, spans, span_limits, weights, positions, logprobs)


def _spans(batch: LabelledBatch, tokens: Ints, trained: Bools, limits: Ints, opens: Ints) -> tuple[SpanColumns, Ints]:
    """Return the spans of trees, and where those of each begin: one ends where another kind of text or a branch begins.

    Args:
        batch: the sequences.
        tokens: the tokens of the trees, by their place in the batch.
        trained: whether each of them is trained.
        limits: where each tree begins, and where the last one ends.
        opens: the tokens that open branches.
    """
    spans = batch.spans
    whose = np.repeat(np.arange(len(spans.start)), spans.end - spans.start)[tokens]
    begins = np.zeros(len(tokens), np.bool_)
    begins[limits[:-1]] = begins[opens] = True
    for kind in (spans.role[whose], spans.part[whose], spans.message[whose], trained):
        begins[1:] |= kind[1:] != kind[:-1]
    places = np.flatnonzero(begins)
    span_limits = np.searchsorted(places, limits)
    ends = np.append(places[1:], len(tokens))
    shift = np.repeat(limits[:-1], np.diff(span_limits))
    first = whose[places]
    columns = SpanColumns(
        spans.role[first],
        spans.part[first],
        spans.message[first],
        places - shift,
        ends - shift,
        trained[places],
        spans.roles,
        spans.parts,
    )
    return columns, span_limits
