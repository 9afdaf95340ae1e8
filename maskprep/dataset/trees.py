"""Trees: the sequences of one conversation, with what they share written once.

A template rewrites the first turn once the second follows, so that the two take two sequences:

    sequence 0     a b c d e              trains e
    sequence 1     a b x y                trains x and y

    tree           a  b  c  d  e  b' x  y
    position_ids   0  1  2  3  4  1  2  3      depths: how many tokens a token sees ahead of it
    labels         -  -  -  -  e  -  x  y
    visible_until  8  5  5  5  5  8  8  8      token j is seen by q exactly when j <= q < visible_until[j]

A tree is written depth first. A branch is what is written before the writing goes back to where another one hangs.
What follows a branch point must be predicted from the token there, but a token predicts only what stands behind it: so
each branch but the first opens with a copy of that token (``b'``), of the same depth, label -100, and the token itself
is no longer visible from there on. A token is visible until the first later one that is not deeper than it is: the
depths decide on ``visible_until``, and all of the tree can be read off them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from maskprep.arrays import Bools, Ints, limits_of
from maskprep.labelled import IGNORED, Labelled, Span, logprobs_or_none


def branches(positions: Ints) -> list[tuple[int, int]]:
    """Return the tokens ``start, end`` of each branch of a tree whose ``positions`` (tokens,) are given."""
    starts = np.flatnonzero(np.diff(positions, prepend=positions[:1]) != 1).tolist()
    return list(pairwise([*starts, len(positions)]))


class Branch(NamedTuple):
    """Tokens ``start:end`` of a tree, which hang on the token ``on`` of the branch ``parent``; -1 for the first branch.

    The token ``start`` of any other one is a copy of ``on``.
    """

    start: int
    end: int
    on: int
    parent: int


def hanging(positions: Ints) -> list[Branch]:
    """Return the branches of a tree whose ``positions`` (tokens,) are given, each with what it hangs on."""
    own, found = _originals(positions), list[Branch]()
    for start, end in branches(positions):
        on = int(own[start]) if found else -1
        found.append(Branch(start, end, on, next((n for n, b in enumerate(found) if b.start <= on < b.end), -1)))
    return found


def visible_until(positions: Ints) -> Ints:
    """Return the token until which each token of one tree is visible, both (tokens,)."""
    found = np.full(len(positions), len(positions), np.int64)
    for start, _, path in _paths(positions):
        depth = int(positions[start])
        for low, first, end in reversed(path):
            if low + end - first <= depth:
                break
            found[max(first, first + depth - low) : end] = start
    return found


def visible_in_batch(positions: Ints, limits: Ints) -> Ints:
    """Return ``visible_until`` of documents end to end, each counted from its own first token.

    Args:
        positions: (tokens,); those of an ordinary document are 0, 1, 2 …
        limits: where each document begins, and where the last one ends.
    """
    sizes = np.diff(limits)
    found = np.repeat(sizes, sizes)
    restarts = np.flatnonzero(np.diff(positions, prepend=positions[:1]) != 1)
    own = np.unique(np.searchsorted(limits, np.setdiff1d(restarts, limits), side="right") - 1)
    for low, high in zip(limits[own].tolist(), limits[own + 1].tolist(), strict=True):
        found[low:high] = visible_until(positions[low:high])
    return found


def fault(ids: Ints, labels: Ints, positions: Ints, until: Ints) -> str:
    """Return what is wrong with a tree, an empty text where it is sound; all arrays are (tokens,).

    Sound: depths begin at 0 and grow by one within a branch; each branch but the first opens with a copy of the token
    that it hangs on, which is not trained; and ``until`` is what ``visible_until`` returns.
    """
    if len(positions) and positions[0] != 0:
        return f"position_ids begin with {int(positions[0])}, not with 0"
    for start, _, path in _paths(positions):
        if not path:
            continue
        depth = int(positions[start])
        place = next((first + depth - low for low, first, end in path if low <= depth < low + end - first), None)
        if place is None:
            return f"position_ids jump from {int(positions[start - 1])} to {depth} at token {start:,}"
        if ids[place] != ids[start]:
            return f"the branch at token {start:,} does not open with a copy of token {place:,}, which it hangs on"
        if labels[start] != IGNORED:
            return f"the copy that opens the branch at token {start:,} is trained"
    meant = visible_until(positions)
    wrong = np.flatnonzero(meant != until)
    if len(wrong):
        at = int(wrong[0])
        ends = int(meant[at])
        return f"visible_until of token {at:,} is {int(until[at]):,}: by the depths it must be {ends:,}"
    return ""


def leaves(positions: Ints) -> list[Ints]:
    """Return the tokens of each path from the root to the end of a branch, in order; for a copy, the token itself."""
    own, found = _originals(positions), []
    for start, end, path in _paths(positions):
        ahead = [np.arange(first, last) for _, first, last in _until(path, int(positions[start]))]
        found.append(own[np.concatenate([*ahead, np.arange(start, end)])])
    return found


def _originals(positions: Ints) -> Ints:
    """Return what each token is a copy of, or its own place."""
    own = np.arange(len(positions))
    for start, _, path in _paths(positions):
        depth = int(positions[start])
        hung = (own[first + depth - low] for low, first, last in path if low <= depth < low + last - first)
        own[start] = next(hung, start)
    return own


def unrolled(tree: Labelled) -> list[Labelled]:
    """Return the sequences of a tree: the path to the end of each branch, with the labels of its own turns.

    The tokens of a turn lie on one path, and are trained in the sequence of the branch that the last of them lies in.
    """
    if tree.positions is None:
        return [tree]
    ids, messages, trained = tree.input_ids, np.full(len(tree.input_ids), -1, np.int64), tree.labels != IGNORED
    owner = np.zeros(len(ids), np.int64)
    for number, span in enumerate(tree.spans):
        messages[span.start : span.end], owner[span.start : span.end] = span.message, number
    starts = np.asarray([start for start, _ in branches(tree.positions)], np.int64)
    whose = {
        message: int(np.searchsorted(starts, np.flatnonzero(trained & (messages == message))[-1], side="right")) - 1
        for message in np.unique(messages[trained]).tolist()
    }
    found = []
    for number, path in enumerate(leaves(tree.positions)):
        own = [message for message, branch in whose.items() if branch == number]
        found.append(_along(tree, path, owner[path], trained[path] & np.isin(messages[path], own)))
    return found


def along(tree: Labelled, path: Ints, trained: Bools) -> Labelled:
    """Return the tokens ``path`` of a tree as a sequence, of which those are trained that are True in ``trained``."""
    owner = np.zeros(len(tree.input_ids), np.int64)
    for number, span in enumerate(tree.spans):
        owner[span.start : span.end] = number
    return _along(tree, path, owner[path], trained)


def _along(tree: Labelled, path: Ints, owner: Ints, trained: Bools) -> Labelled:
    ids = tree.input_ids[path]
    weights = None if tree.weights is None else np.where(trained, tree.weights[path], 0).astype(np.float32)
    logprobs = None if tree.logprobs is None else logprobs_or_none(tree.logprobs[path])
    labels = np.where(trained, tree.labels[path], IGNORED)
    return Labelled(ids, labels, _spans(tree, owner, trained), weights, None, logprobs)


def _spans(tree: Labelled, owner: Ints, trained: Bools) -> tuple[Span, ...]:
    """Return the spans of a path: its tokens belong to the spans ``owner`` of the tree."""
    edges = np.flatnonzero(np.diff(owner) | np.diff(trained.astype(np.int64))) + 1
    found: list[Span] = []
    for low, high in pairwise([0, *edges.tolist(), len(owner)]):
        span = tree.spans[int(owner[low])]._replace(start=low, end=high, trained=bool(trained[low]))
        if found and same_kind(found[-1], span):
            found[-1] = found[-1]._replace(end=high)
        else:
            found.append(span)
    return tuple(found)


def same_kind(one: Span, other: Span) -> bool:
    """Tell whether two spans differ in nothing but their place."""
    return (one[:3], one.trained) == (other[:3], other.trained)


_Stretch = tuple[int, int, int]
"""The depth of its first token, and the tokens ``first, end``, each one deeper than the one before it."""


def _paths(positions: Ints) -> Iterator[tuple[int, int, list[_Stretch]]]:
    """Yield ``start, end`` of each branch, with the stretches of tokens that are visible just before it opens."""
    path: list[_Stretch] = []
    for start, end in branches(positions):
        yield start, end, path
        depth = int(positions[start])
        path = [*_until(path, depth), (depth, start, end)]


def _until(path: list[_Stretch], depth: int) -> Iterator[_Stretch]:
    """Yield the stretches of a path that hold its tokens less deep than ``depth``."""
    for low, first, end in path:
        if low < depth:
            yield low, first, min(end, first + depth - low)


def counts(positions: Ints, limits: Ints) -> Ints:
    """Return how many branches each document has; arguments as for ``visible_in_batch``."""
    before = limits_of(_opens(positions, limits).astype(np.int64))
    return before[limits[1:]] - before[limits[:-1]]


def unrolled_sizes(positions: Ints, limits: Ints) -> Ints:
    """Return how many tokens the sequences of each document have together; arguments as for ``visible_in_batch``."""
    ends = np.append(_opens(positions, limits)[1:], False)
    ends[limits[1:][np.diff(limits) > 0] - 1] = True
    before = limits_of(np.where(ends, positions + 1, 0))
    return before[limits[1:]] - before[limits[:-1]]


def _opens(positions: Ints, limits: Ints) -> Bools:
    """Tell of each token whether it opens a branch or a document."""
    opens: Bools = np.diff(positions, prepend=positions[:1]) != 1
    opens[limits[:-1][np.diff(limits) > 0]] = True
    return opens
