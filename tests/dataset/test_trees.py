"""Trees as they are read: what sees what, which faults are found, and the sequences that come out again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.arrays import limits_of
from maskprep.dataset.trees import branches, counts, fault, leaves, unrolled, visible_in_batch, visible_until
from maskprep.labelled import IGNORED, Labelled, Span

A, B, C, D, E, X, Y = range(1, 8)


def array(*values: int):
    return np.asarray(values, np.int64)


IDS = array(A, B, C, D, E, B, X, Y)
LABELS = array(-100, -100, -100, -100, E, -100, X, Y)
POSITIONS = array(0, 1, 2, 3, 4, 1, 2, 3)
VISIBLE = array(8, 5, 5, 5, 5, 8, 8, 8)
SPANS = (
    Span("user", "content", 0, 0, 4, False),
    Span("assistant", "content", 1, 4, 5, True),
    Span("user", "content", 0, 5, 6, False),
    Span("assistant", "content", 3, 6, 8, True),
)


@st.composite
def depths(draw):
    """Depths of a tree: each token is one deeper than the one before it, or opens a branch that hangs further up."""
    found = [0]
    for _ in range(draw(st.integers(0, 24))):
        deepest = found[-1]
        found.append(draw(st.integers(0, deepest)) if draw(st.integers(0, 3)) == 0 else deepest + 1)
    return np.asarray(found, np.int64)


def seen(positions):
    """Return what each token sees, found out one by one: itself, and for each depth above it the last such token."""
    found = []
    for query in range(len(positions)):
        own, depth = {query}, int(positions[query])
        for key in range(query - 1, -1, -1):
            if positions[key] == depth - 1:
                own.add(key)
                depth -= 1
        found.append(own)
    return found


def test_the_example():
    assert visible_until(POSITIONS).tolist() == VISIBLE.tolist()
    assert branches(POSITIONS) == [(0, 5), (5, 8)]
    assert [path.tolist() for path in leaves(POSITIONS)] == [[0, 1, 2, 3, 4], [0, 1, 6, 7]]
    assert fault(IDS, LABELS, POSITIONS, VISIBLE) == ""


@given(depths())
def test_a_token_sees_its_own_branch_alone(positions):
    until = visible_until(positions)
    for query, own in enumerate(seen(positions)):
        assert {key for key in range(query + 1) if query < until[key]} == own
        assert len(own) == positions[query] + 1  # a position is how many tokens are seen ahead


@given(st.lists(depths(), min_size=1, max_size=5), st.lists(st.integers(0, 4), max_size=3))
def test_a_batch_is_its_documents(trees, plain):
    documents = [*trees, *(np.arange(size) for size in plain)]
    limits = limits_of(map(len, documents))
    found = visible_in_batch(np.concatenate(documents), limits)
    for document, low, high in zip(documents, limits[:-1], limits[1:], strict=True):
        assert found[low:high].tolist() == visible_until(document).tolist()
    assert counts(np.concatenate(documents), limits).tolist() == [len(branches(d)) if len(d) else 0 for d in documents]


def test_the_sequences_come_out_again():
    first, second = unrolled(Labelled(IDS, LABELS, SPANS, None, POSITIONS))
    assert first.input_ids.tolist() == [A, B, C, D, E]
    assert first.labels.tolist() == [-100, -100, -100, -100, E]
    assert second.input_ids.tolist() == [A, B, X, Y]
    assert second.labels.tolist() == [-100, -100, X, Y]
    assert second.spans == (Span("user", "content", 0, 0, 2, False), Span("assistant", "content", 3, 2, 4, True))


def test_a_turn_that_is_history_elsewhere_is_trained_in_its_own_sequence():
    # a b c END, in which c is trained; but its own end is the other token that follows c in the second sequence
    ids, labels = array(A, B, C, D, C, E), array(-100, -100, C, -100, -100, E)
    positions = array(0, 1, 2, 3, 2, 3)
    spans = (
        Span("user", "content", 0, 0, 2, False),
        Span("assistant", "content", 1, 2, 3, True),
        Span("template", "scaffold", -1, 3, 4, False),
        Span("assistant", "content", 1, 4, 5, False),
        Span("assistant", "stop", 1, 5, 6, True),
    )
    first, second = unrolled(Labelled(ids, labels, spans, array(0, 0, 2, 0, 0, 3).astype(np.float32), positions))
    assert (first.labels == IGNORED).all()
    assert second.labels.tolist() == [-100, -100, C, E]
    assert second.weights.tolist() == [0, 0, 2, 3]


@pytest.mark.parametrize(
    ("column", "place", "value", "told"),
    [
        (0, 5, X, "the branch at token 5 does not open with a copy of token 1"),
        (1, 5, B, "the copy that opens the branch at token 5 is trained"),
        (2, 5, 2, "the branch at token 5 does not open with a copy of token 2"),
        (2, 5, 7, "position_ids jump from 4 to 7 at token 5"),
        (2, 0, 1, "position_ids begin with 1"),
        (3, 1, 8, "visible_until of token 1 is 8: by the depths it must be 5"),
        (3, 0, 5, "visible_until of token 0 is 5: by the depths it must be 8"),
        (3, 7, 9, "visible_until of token 7 is 9: by the depths it must be 8"),
    ],
)
def test_each_fault_is_named(column, place, value, told):
    columns = [each.copy() for each in (IDS, LABELS, POSITIONS, VISIBLE)]
    columns[column][place] = value
    assert told in fault(*columns)


def test_an_ordinary_sequence_is_a_tree_of_one_branch():
    one = Labelled(array(A, B), array(-100, B), (Span("user", "content", 0, 0, 2, False),))
    assert unrolled(one) == [one]
    assert fault(one.input_ids, one.labels, np.arange(2), array(2, 2)) == ""
    assert branches(np.zeros(0, np.int64)) == []
