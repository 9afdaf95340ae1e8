"""From the sequences of one conversation to one row: what they share is written once, as a tree.

    sequences   a b c d e          a b x y          a b x z
    inserted    a b ─┬─ c d e
                     └─ x ─┬─ y
                           └─ z
    written     a b c d e │ b' x y │ x' z           each branch but the first opens with a copy of what it hangs on

``dataset/trees.py`` says how a tree is read. A token that is trained in one sequence and is history in another is there
once, and trained. A tree that would be longer than it may be is divided: the sequences that follow go into another one,
with the beginning that they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

import numpy as np

from maskprep.arrays import Floats, Ints
from maskprep.dataset.trees import same_kind
from maskprep.examples.prepared import Prepared, PreparedSequence
from maskprep.labelled import IGNORED, Labelled, Span, weights_or_none
from maskprep.policy import History


def apart_of(history: History) -> History:
    """Return the way of treating history by which the sequences are made: a tree is made of those of ``split``."""
    return History.SPLIT if history is History.TREE else history


def written(prepared: Prepared, history: History, limit: int | None) -> Prepared:
    """Return what a conversation becomes as it is written: as trees of at most ``limit`` tokens, for ``tree``.

    Each of its sequences alone has no more tokens than that.
    """
    if history is not History.TREE or len(prepared.sequences) <= 1:
        return prepared
    return replace(prepared, sequences=tuple(_grown(prepared.sequences, limit)))


def _grown(sequences: Sequence[PreparedSequence], limit: int | None) -> Iterator[PreparedSequence]:
    # Sequences that begin with another token have nothing that both could hang on.
    for _, alike in groupby(sorted(sequences, key=_first), key=_first):
        tree = _Tree()
        for sequence in alike:
            if tree.sequences and (tree.trains(sequence) or (limit is not None and tree.size_with(sequence) > limit)):
                yield tree.written()
                tree = _Tree()
            tree.insert(sequence)
        yield tree.written()


def _first(sequence: PreparedSequence) -> int:
    return int(sequence.labelled.input_ids[0])


@dataclass(slots=True)
class _Node:
    """Tokens ``start:end`` of the sequences ``owners``, whose numbers are given, up to where these part.

    ``children`` are told apart by the token that they begin with.
    """

    owners: list[int]
    start: int
    end: int
    children: dict[int, _Node] = field(default_factory=dict)


class _Tree:
    """A tree that grows by one sequence at a time; all of them begin with the same token."""

    def __init__(self) -> None:
        self.sequences: list[PreparedSequence] = []
        self.size = 0
        self._root = _Node([], 0, 0)

    def size_with(self, sequence: PreparedSequence) -> int:
        """Return how many tokens the tree would have if it held this sequence, too."""
        ids = sequence.labelled.input_ids
        node, common = self._way(ids)[-1]
        at = node.start + common
        return self.size + self._more(node, common, len(ids) - at)

    def trains(self, sequence: PreparedSequence) -> bool:
        """Tell whether some token that this sequence trains is trained in the tree already, in the same context.

        So it is where two windows of a conversation say the same: their trained tokens count twice.
        """
        labels = sequence.labelled.labels
        for node, common in self._way(sequence.labelled.input_ids):
            own = labels[node.start : node.start + common] != IGNORED
            for other in node.owners if own.any() else ():
                theirs = self.sequences[other].labelled.labels[node.start : node.start + common] != IGNORED
                if (own & theirs).any():
                    return True
        return False

    def insert(self, sequence: PreparedSequence) -> None:
        """Add a sequence."""
        number, ids = len(self.sequences), sequence.labelled.input_ids
        self.sequences.append(sequence)
        way = self._way(ids)
        node, common = way[-1]
        at = node.start + common
        self.size += self._more(node, common, len(ids) - at)
        if at < node.end:
            whole = self._ids(node)
            node.children = {int(whole[common]): _Node(node.owners.copy(), at, node.end, node.children)}
            node.end = at
        for passed, _ in way:
            passed.owners.append(number)
        if at < len(ids):
            node.children[int(ids[at])] = _Node([number], at, len(ids))

    def written(self) -> PreparedSequence:
        """Return the tree as a row: depth first, the branch that was inserted first ahead of the others."""
        first = self.sequences[0]
        if len(self.sequences) == 1:
            return first
        pieces: list[_Piece] = []
        waiting = [(self._root, False)]
        while waiting:
            node, opens = waiting.pop()
            pieces.append(self._piece(node, opens=opens))
            children = [*node.children.values()]
            waiting += [(child, number > 0) for number, child in reversed([*enumerate(children)])]
        weighted = any(each.labelled.weights is not None for each in self.sequences)
        labelled = Labelled(
            np.concatenate([piece.ids for piece in pieces]),
            np.concatenate([piece.labels for piece in pieces]),
            tuple(_joined(pieces)),
            weights_or_none(np.concatenate([piece.weights for piece in pieces])) if weighted else None,
            np.concatenate([piece.positions for piece in pieces]),
        )
        unfaithful = sum(each.unfaithful for each in self.sequences)
        return replace(first, labelled=labelled, unfaithful=unfaithful, branches=tuple(self.sequences))

    def _ids(self, node: _Node) -> Ints:
        return self.sequences[node.owners[0]].labelled.input_ids[node.start : node.end] if node.owners else _NONE

    def _way(self, ids: Ints) -> list[tuple[_Node, int]]:
        """Return the nodes that ids run through, with how many tokens of each: all of it but of the last, maybe."""
        way = [(self._root, 0)]
        while True:
            node, common = way[-1]
            at = node.start + common
            child = node.children.get(int(ids[at])) if at == node.end and at < len(ids) else None
            if child is None:
                return way
            whole = self._ids(child)
            differs = np.flatnonzero(whole[: len(ids) - at] != ids[at : at + len(whole)])
            way.append((child, int(differs[0]) if len(differs) else min(len(whole), len(ids) - at)))

    @staticmethod
    def _more(node: _Node, common: int, rest: int) -> int:
        """Return by how many tokens the tree grows where ``rest`` tokens follow ``common`` ones of a node."""
        branches = node.start + common < node.end or bool(node.children)
        return rest + (1 if branches and rest and node.owners else 0)

    def _piece(self, node: _Node, *, opens: bool) -> _Piece:
        """Return the tokens of a node, behind a copy of the token that it hangs on where it ``opens`` a branch."""
        first = node.start - 1 if opens else node.start
        owner = np.full(node.end - first, node.owners[0] if node.owners else 0, np.int64)
        for other in node.owners[1:]:
            owner[self.sequences[other].labelled.labels[first : node.end] != IGNORED] = other
        ids, labels, weights = np.empty_like(owner), np.empty_like(owner), np.empty(len(owner), np.float32)
        spans: list[Span] = []
        edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(owner)]
        for low, high in pairwise(edges):
            if low < high:
                labelled = self.sequences[int(owner[low])].labelled
                cut = slice(first + low, first + high)
                ids[low:high], labels[low:high] = labelled.input_ids[cut], labelled.labels[cut]
                weights[low:high] = labels[low:high] != IGNORED if labelled.weights is None else labelled.weights[cut]
                spans += _clipped(labelled.spans, first + low, first + high, low)
        if opens:
            labels[0], weights[0] = IGNORED, 0
            copied = spans[0]
            spans[:1] = [copied._replace(end=1, trained=False), *([copied._replace(start=1)] if copied.end > 1 else [])]
        return _Piece(ids, labels, weights, np.arange(first, node.end), spans, opens)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The tokens of one node, and whether they open a branch; its spans count from its own first token."""

    ids: Ints
    labels: Ints
    weights: Floats
    positions: Ints
    spans: list[Span]
    opens: bool


def _clipped(spans: Sequence[Span], low: int, high: int, at: int) -> Iterator[Span]:
    """Yield the spans of the tokens ``low:high`` of a sequence, which stand at ``at``."""
    for span in spans:
        if span.start < high and span.end > low:
            yield span._replace(start=max(span.start, low) - low + at, end=min(span.end, high) - low + at)


def _joined(pieces: Sequence[_Piece]) -> list[Span]:
    """Return the spans of a tree; those of one kind that follow each other within a branch are one."""
    found: list[Span] = []
    at = 0
    for piece in pieces:
        for number, span in enumerate(piece.spans):
            before = found[-1] if found and not (piece.opens and number == 0) else None
            if before is not None and same_kind(before, span):
                found[-1] = before._replace(end=at + span.end)
            else:
                found.append(span._replace(start=at + span.start, end=at + span.end))
        at += len(piece.ids)
    return found


_NONE = np.zeros(0, np.int64)
