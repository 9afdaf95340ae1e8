"""Plans: every document once, equal numbers of batches, at any world size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.collate import plan
from maskprep.collate.plan import BatchPlan, OrderSettings
from maskprep.dataset.packing import pack

LENGTH = 20


def make_plan(lengths, edges=None, **changes):
    settings = {"weights": (1.0,), "length": LENGTH, "batch_size": 1, "world_size": 1, "seed": 0, "shuffle": True}
    settings |= {"strategy": "best_fit", "window": 1000, **changes}
    return BatchPlan(np.asarray(lengths, np.int32), np.asarray(edges or [0, len(lengths)]), OrderSettings(**settings))


def epochs(made, epoch=0):
    return [list(made.batches(epoch, rank)) for rank in range(made.order.world_size)]


def documents(ranks):
    return [int(document) for batches in ranks for packs in batches for pack in packs for document in pack]


@given(
    st.lists(st.integers(1, LENGTH), max_size=60),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 30),
    st.sampled_from(["best_fit", "in_order"]),
    st.booleans(),
)
def test_every_document_once_and_the_same_number_of_batches(lengths, batch_size, world_size, window, strategy, shuffle):
    changes = {"batch_size": batch_size, "world_size": world_size, "window": window}
    ranks = epochs(make_plan(lengths, strategy=strategy, shuffle=shuffle, **changes))
    assert sorted(documents(ranks)) == list(range(len(lengths)))
    assert len({len(batches) for batches in ranks}) == 1
    empty = 0
    for step, batches in enumerate(zip(*ranks, strict=True)):
        last = step >= len(ranks[0]) - 2
        for packs in batches:
            assert all(np.asarray(lengths)[pack].sum() <= LENGTH for pack in packs)
            assert 1 <= len(packs) <= batch_size
            assert last or len(packs) == batch_size
            empty += sum(len(pack) == 0 for pack in packs)
            assert last or all(len(pack) for pack in packs)
        assert any(len(pack) for packs in batches for pack in packs)
    # A rank goes without only where no pack is left that has two documents.
    left = [packs for batches in ranks for packs in batches[-2:]]
    assert not empty or max(len(pack) for packs in left for pack in packs) == 1
    assert empty < world_size


def test_a_pack_is_taken_apart_before_a_rank_goes_without():
    ranks = epochs(make_plan([5, 5, 5, 5], world_size=3))
    assert [[len(pack) for packs in batches for pack in packs] for batches in ranks] == [[1], [2], [1]]
    alone = epochs(make_plan([LENGTH] * 4, world_size=3))
    assert sorted(len(pack) for batches in alone for packs in batches for pack in packs) == [0, 0, 1, 1, 1, 1]


def test_two_packs_a_batch_never_leave_a_rank_without():
    for count in range(7, 40):
        ranks = epochs(make_plan([LENGTH] * count, world_size=3, batch_size=2))
        assert all(len(pack) == 1 for batches in ranks for packs in batches for pack in packs)


def test_order_changes_with_epoch_and_seed_and_with_nothing_else():
    lengths = np.random.default_rng(0).integers(1, LENGTH, 200)
    one = make_plan(lengths)
    first = documents(epochs(one))
    assert first == documents(epochs(one))
    assert first != documents(epochs(one, epoch=1))
    assert first != documents(epochs(make_plan(lengths, seed=1)))
    still = make_plan(lengths, shuffle=False, strategy="in_order")
    assert documents(epochs(still)) == documents(epochs(still, epoch=1)) == list(range(200))


def test_the_packs_do_not_depend_on_the_world():
    lengths = np.random.default_rng(0).integers(1, LENGTH, 200)
    alone = [pack.tolist() for packs in epochs(make_plan(lengths))[0] for pack in packs]
    three = epochs(make_plan(lengths, world_size=3))
    steps = [pack.tolist() for batches in zip(*three, strict=True) for packs in batches for pack in packs]
    assert steps[: len(alone) - 6] == alone[: len(alone) - 6]


def test_weights_say_how_often_a_folder_comes():
    lengths = [1] * 30
    three = make_plan(lengths, [0, 10, 20, 30], weights=(2.0, 0.3, 0.0))
    seen = [Counter(documents(epochs(three, epoch))) for epoch in range(10)]
    for counts in seen:
        assert all(counts[document] == 2 for document in range(10))
        assert sum(counts[document] for document in range(10, 20)) == 3
        assert not any(counts[document] for document in range(20, 30))
    total = sum(seen, Counter())
    assert all(total[document] == 3 for document in range(10, 20))  # each as often as the others, in the long run


def test_rows_without_tokens_come_in_no_batch():
    assert sorted(documents(epochs(make_plan([3, 0, 4, 0])))) == [0, 2]
    assert epochs(make_plan([0, 0])) == [[]]


def test_windows_are_of_one_size(monkeypatch):
    windows = []
    monkeypatch.setattr(
        plan, "pack", lambda lengths, *rest, **more: windows.append(len(lengths)) or pack(lengths, *rest, **more)
    )
    epochs(make_plan([1] * 101, window=50))
    assert windows == [33, 34, 34]


def test_a_document_that_is_too_long_is_no_surprise():
    with pytest.raises(ValueError, match="must have from 1 to 20"):
        epochs(make_plan([LENGTH + 1]))
