"""Trees as they are made: the same trained tokens as the sequences, each once, each in its own context."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.dataset.trees import branches, fault, unrolled, visible_until
from maskprep.examples.prepared import Prepared, PreparedSequence
from maskprep.examples.trees import written
from maskprep.labelled import IGNORED, Labelled, LabelledBatch, Span
from maskprep.policy import History

ROLES = ("user", "assistant", "tool")


def sequence(ids, trained, message=1, weights=None) -> PreparedSequence:
    """Return a sequence whose spans change with its ids, and of which the places ``trained`` are trained."""
    ids = np.asarray(ids, np.int64)
    on = np.isin(np.arange(len(ids)), list(trained))
    spans: list[Span] = []
    for at, token in enumerate(ids.tolist()):
        own = message if on[at] else 0
        spans.append(Span(ROLES[token % 3], "content", own, at, at + 1, bool(on[at])))
    weights = None if weights is None else np.where(on, weights, 0).astype(np.float32)
    return PreparedSequence(Labelled(ids, np.where(on, ids, IGNORED), tuple(spans), weights), None, 0)


def trees_of(*sequences, limit=None) -> tuple[PreparedSequence, ...]:
    (made,) = written([Prepared(sequences, ())], History.TREE, limit)
    return made.sequences


def contexts(many) -> Counter:
    """Count what is trained: each token together with all that it is predicted from."""
    return Counter(
        tuple(each.input_ids[: at + 1].tolist()) for each in many for at in np.flatnonzero(each.labels != IGNORED)
    )


@st.composite
def conversations(draw):
    """Sequences of which each goes on from another one; none trains a token that another trains in its context."""
    found, taken = [], set()
    for message in range(draw(st.integers(1, 5))):
        old = draw(st.sampled_from(found)).labelled.input_ids.tolist() if found else [0]
        ids = old[: draw(st.integers(1, len(old)))] + draw(st.lists(st.integers(0, 2), min_size=1, max_size=6))
        wanted = draw(st.sets(st.integers(1, len(ids) - 1), min_size=1))
        trained = {at for at in wanted if (*ids[: at + 1],) not in taken}
        taken |= {(*ids[: at + 1],) for at in trained}
        if trained:
            found.append(sequence(ids, trained, message + 1, draw(st.sampled_from([None, 0.5, 2.0]))))
    return found or [sequence([0, 1], {1})]


def check(tree: Labelled) -> None:
    if tree.positions is None:
        return
    assert fault(tree.input_ids, tree.labels, tree.positions, visible_until(tree.positions)) == ""
    edges = [0, *(edge for span in tree.spans for edge in (span.start, span.end)), len(tree.input_ids)]
    assert edges[::2] == edges[1::2]
    marked = np.zeros(len(tree.input_ids), np.bool_)
    for span in tree.spans:
        marked[span.start : span.end] = span.trained
    assert (marked == (tree.labels != IGNORED)).all()
    starts = {span.start for span in tree.spans}
    assert all(start in starts for start, _ in branches(tree.positions))


@given(conversations(), st.one_of(st.none(), st.integers(0, 12)))
def test_every_trained_token_is_there_once_in_its_own_context(sequences, more):
    longest = max(map(len, sequences))
    limit = None if more is None else longest + more
    found = trees_of(*sequences, limit=limit)
    for tree in found:
        check(tree.labelled)
        assert limit is None or len(tree) <= limit
    apart = [each for tree in found for each in unrolled(tree.labelled)]
    assert contexts(apart) == contexts([each.labelled for each in sequences])
    assert sum(tree.labelled.trained_tokens for tree in found) == sum(s.labelled.trained_tokens for s in sequences)
    # What is told of a token goes with it: role, part, message, weight.
    for tree in found:
        for branch in tree.branches:
            own = next(u for u in unrolled(tree.labelled) if _holds(u, branch.labelled))
            assert _told(own, len(branch)) >= _told(branch.labelled, len(branch))


def _holds(one: Labelled, other: Labelled) -> bool:
    """Tell whether a sequence trains what the other one does; what follows its last trained token may be another's."""
    trained = np.flatnonzero(other.labels != IGNORED)
    size = int(trained[-1]) + 1
    same = one.input_ids[:size].tolist() == other.input_ids[:size].tolist()
    return same and bool((one.labels[trained] == other.labels[trained]).all())


def _told(labelled: Labelled, size: int) -> set:
    weights = labelled.labels != IGNORED if labelled.weights is None else labelled.weights
    return {
        (at, *span[:3], float(weights[at]))
        for span in labelled.spans
        if span.trained
        for at in range(span.start, min(span.end, size))
    }


@given(conversations())
def test_nothing_is_written_twice(sequences):
    """There is one token for each beginning that some sequence has, and one copy for each branch but the first."""
    found = trees_of(*sequences)
    beginnings = {tuple(s.labelled.input_ids[: at + 1].tolist()) for s in sequences for at in range(len(s))}
    copies = sum(len(branches(tree.labelled.positions)) - 1 for tree in found if tree.labelled.positions is not None)
    assert sum(map(len, found)) - copies == len(beginnings)


def test_the_example():
    one, two, three = sequence([1, 2, 3, 4, 5], {4}), sequence([1, 2, 6, 7], {2, 3}, 2), sequence([1, 2, 6, 8], {3}, 3)
    (tree,) = trees_of(one, two, three)
    assert tree.labelled.input_ids.tolist() == [1, 2, 3, 4, 5, 2, 6, 7, 6, 8]
    assert tree.labelled.positions.tolist() == [0, 1, 2, 3, 4, 1, 2, 3, 2, 3]
    assert tree.labelled.labels.tolist() == [-100, -100, -100, -100, 5, -100, 6, 7, -100, 8]
    assert tree.branches == (one, two, three)


def test_one_sequence_is_an_ordinary_row():
    one = sequence([1, 2, 3], {2})
    (made,) = trees_of(one)
    assert made is one


def test_a_sequence_that_ends_within_another_opens_no_branch():
    (tree,) = trees_of(sequence([1, 2, 3, 4], {3}), sequence([1, 2], {1}, 2))
    assert tree.labelled.input_ids.tolist() == [1, 2, 3, 4]
    assert tree.labelled.labels.tolist() == [-100, 2, -100, 4]
    (tree,) = trees_of(sequence([1, 2], {1}, 2), sequence([1, 2, 3, 4], {3}))
    assert tree.labelled.input_ids.tolist() == [1, 2, 3, 4]
    assert tree.labelled.labels.tolist() == [-100, 2, -100, 4]


def test_a_tree_that_is_too_long_is_divided():
    sequences = [sequence([1, 2, 3, 10 + n, 20 + n], {3, 4}, n + 1) for n in range(5)]
    found = trees_of(*sequences, limit=8)
    assert [len(tree) for tree in found] == [8, 8, 5]
    assert [len(tree.branches) for tree in found] == [2, 2, 0]
    assert sum(tree.labelled.trained_tokens for tree in found) == 10
    (whole,) = trees_of(*sequences, limit=17)
    assert len(whole) == 17


def test_what_is_trained_twice_in_one_context_counts_twice():
    """Two windows of a conversation may say the same: merged, they would weigh half."""
    found = trees_of(sequence([1, 2, 3], {2}, 1), sequence([1, 2, 3], {2}, 3))
    assert [tree.labelled.labels.tolist() for tree in found] == [[-100, -100, 3]] * 2


def test_sequences_that_share_nothing_are_rows_of_their_own():
    found = trees_of(sequence([1, 2], {1}), sequence([3, 4], {1}, 2))
    assert sorted(tree.labelled.input_ids.tolist() for tree in found) == [[1, 2], [3, 4]]


def test_many_conversations_are_made_together():
    many = [Prepared((sequence([1, 2, 3], {2}), sequence([1, 4 + n], {1}, 2)), ()) for n in range(3)]
    many.insert(1, Prepared((sequence([9, 9], {1}),), ()))
    together = written(many, History.TREE, None)
    alone = [written([each], History.TREE, None)[0] for each in many]
    for one, other in zip(together, alone, strict=True):
        for mine, theirs in zip(one.sequences, other.sequences, strict=True):
            assert mine.labelled.input_ids.tolist() == theirs.labelled.input_ids.tolist()
            assert mine.labelled.spans == theirs.labelled.spans
    batch = LabelledBatch.of([s.labelled for made in together for s in made.sequences])
    assert [each.positions.tolist() for each in batch] == [[0, 1, 2, 0, 1], [0, 1], [0, 1, 2, 0, 1], [0, 1, 2, 0, 1]]
    assert [each.positions.tolist() for each in batch.between(1, 3)] == [[0, 1], [0, 1, 2, 0, 1]]


@pytest.mark.parametrize("history", [History.SPLIT, History.MASK, History.RENDERED])
def test_other_histories_stay_as_they_are(history):
    made = Prepared((sequence([1, 2, 3], {2}), sequence([1, 4], {1}, 2)), ())
    assert written([made], history, None) == [made]
