"""Packs: every document once, none cut, none too full, few of them, and the same ones every time."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_reference import pack_row

from maskprep.dataset.packing import pack
from maskprep.labelled import IGNORED, Labelled, Span

LENGTHS = st.lists(st.integers(1, 40), max_size=200)
STRATEGIES = ("best_fit", "in_order")


def members(packs):
    return [documents.tolist() for documents in packs]


@given(
    LENGTHS, st.integers(40, 120), st.sampled_from(STRATEGIES), st.none() | st.integers(1, 50), st.none() | st.just(3)
)
def test_every_document_is_in_one_pack_and_no_pack_is_too_full(lengths, capacity, strategy, window, seed):
    packs = pack(lengths, capacity, strategy, window, seed)
    assert sorted(packs.order.tolist()) == list(range(len(lengths)))
    assert packs.offsets[0] == 0
    assert packs.offsets[-1] == len(lengths)
    for documents in members(packs):
        assert documents == sorted(documents)
        assert 0 < sum(lengths[document] for document in documents) <= capacity
    again = pack(np.asarray(lengths, np.int32), capacity, strategy, window, seed)
    assert members(again) == members(packs)


@given(LENGTHS, st.integers(40, 120))
def test_best_fit_takes_no_more_packs_than_best_fit_decreasing_done_by_hand(lengths, capacity):
    free = []
    for length in sorted(lengths, reverse=True):
        space = min((space for space in free if space >= length), default=None)
        if space is None:
            free.append(capacity - length)
        else:
            free[free.index(space)] -= length
    assert len(pack(lengths, capacity)) <= len(free)


@given(LENGTHS, st.integers(40, 120))
def test_in_order_closes_a_pack_only_before_what_does_not_fit(lengths, capacity):
    packs = members(pack(lengths, capacity, "in_order"))
    assert [document for documents in packs for document in documents] == list(range(len(lengths)))
    for documents, following in pairwise(packs):
        assert sum(lengths[document] for document in documents) + lengths[following[0]] > capacity


@given(LENGTHS, st.integers(1, 50), st.sampled_from(STRATEGIES))
def test_a_window_is_packed_by_itself(lengths, window, strategy):
    packs = members(pack(lengths, 60, strategy, window))
    alone = [
        [document + start for document in documents]
        for start in range(0, len(lengths), window)
        for documents in members(pack(lengths[start : start + window], 60, strategy))
    ]
    assert packs == alone


@given(LENGTHS, st.integers(0, 5))
def test_a_seed_changes_the_order_of_the_packs_and_nothing_else(lengths, seed):
    packs, shuffled = members(pack(lengths, 50)), members(pack(lengths, 50, seed=seed))
    assert sorted(packs) == sorted(shuffled)


def test_seeds_differ_and_the_long_ones_no_longer_come_first():
    lengths = np.random.default_rng(0).integers(1, 100, 2000)
    orders = [members(pack(lengths, 100, seed=seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    assert orders[0] == members(pack(lengths, 100, seed=1))
    longest = [max(lengths[documents]) for documents in orders[0]]
    assert np.mean(longest[: len(longest) // 2]) == pytest.approx(np.mean(longest[len(longest) // 2 :]), rel=0.1)


@pytest.mark.parametrize(
    ("name", "lengths", "spare"),
    [
        # how many packs more than the tokens would fill to the last slot
        ("chat", np.clip(np.random.default_rng(0).lognormal(5, 0.8, 20_000).astype(int) + 20, 1, 4096), 0),
        ("narrow", np.random.default_rng(1).integers(20, 430, 20_000), 0),
        ("middling", np.random.default_rng(2).integers(200, 2001, 20_000), 3),
        ("one length", np.full(1000, 1024), 0),
        ("pairs", np.concatenate((np.full(500, 4000), np.full(500, 96))), 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_few_slots_stay_empty(name, lengths, spare):
    packs = pack(lengths, 4096)
    assert len(packs) <= -(-int(lengths.sum()) // 4096) + spare
    assert packs.fill(lengths, 4096) == pytest.approx(lengths.sum() / (len(packs) * 4096))


def test_exact_filling_saves_packs_that_best_fit_decreasing_needs():
    # 6 + 5 leaves 3 that nothing fills; 5 + 5 + 4 and 6 + 4 + 4 leave nothing.
    lengths = [6] * 2 + [5] * 4 + [4] * 6
    assert len(pack(lengths, 14)) == 4


def test_a_million_documents_take_less_than_three_seconds():
    lengths = np.clip(np.random.default_rng(0).lognormal(5.5, 1, 1_000_000).astype(int) + 20, 1, 4096)
    start = time.process_time()
    packs = pack(lengths, 4096, seed=1)
    assert time.process_time() - start < 3
    assert packs.fill(lengths, 4096) > 0.9995


@pytest.mark.parametrize(
    ("lengths", "capacity", "more", "said"),
    [
        ([3, 9, 10], 8, {}, r"document 1 has 9 tokens; each must have from 1 to 8 \(2 have not\)"),
        ([3, 0], 8, {}, "document 1 has 0 tokens"),
        ([1], 0, {}, "capacity 0"),
        ([1], 8, {"window": 0}, "window 0"),
        ([1], 8, {"strategy": "worst"}, "must be best_fit or in_order"),
        ([[1]], 8, {}, "one dimension"),
    ],
)
def test_what_cannot_be_packed(lengths, capacity, more, said):
    with pytest.raises(ValueError, match=said):
        pack(lengths, capacity, **more)


def make_document(number, size):
    ids = np.arange(size) + 100 * number
    spans = (Span("user", "content", 0, 0, size - 1, False), Span("assistant", "content", 1, size - 1, size, True))
    return Labelled(ids, np.where(np.arange(size) == size - 1, ids, IGNORED), spans)


def test_a_packed_row():
    row = pack_row([make_document(1, 3), make_document(2, 2), make_document(3, 4)])
    assert row.input_ids.tolist() == [100, 101, 102, 200, 201, 300, 301, 302, 303]
    assert row.labels.tolist() == [-100, -100, 102, -100, 201, -100, -100, -100, 303]
    assert row.position_ids.tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert row.seq_lengths.tolist() == [3, 2, 4]
    assert [(span.document, span.message, span.start, span.end, span.trained) for span in row.spans] == [
        *((0, 0, 0, 2, False), (0, 1, 2, 3, True), (1, 0, 3, 4, False)),
        *((1, 1, 4, 5, True), (2, 0, 5, 8, False), (2, 1, 8, 9, True)),
    ]
    assert row.loss_weights is None
    assert {row.input_ids.dtype, row.labels.dtype, row.position_ids.dtype, row.seq_lengths.dtype} == {np.dtype("int64")}


def test_the_first_label_of_a_document_is_never_trained():
    trained = Labelled(np.asarray([7, 8]), np.asarray([7, 8]), ())
    assert pack_row([trained, trained]).labels.tolist() == [-100, 8, -100, 8]
    assert trained.labels.tolist() == [7, 8]


def test_loss_weights_go_along():
    row = pack_row([make_document(1, 2), make_document(2, 1)], [[0.5, 2.0], [1.0]])
    assert row.loss_weights.tolist() == [0.5, 2.0, 1.0]
    with pytest.raises(ValueError, match="one loss weight a token"):
        pack_row([make_document(1, 2)], [[1.0]])


@pytest.mark.parametrize("documents", [[], [Labelled(np.zeros(0, np.int64), np.zeros(0, np.int64), ())]])
def test_a_row_of_nothing_is_refused(documents):
    with pytest.raises(ValueError, match="at least one token"):
        pack_row(documents)
