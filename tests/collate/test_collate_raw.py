"""Raw rows, masked while the model trains: every document once, in an order that can be gone on with."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter

import pytest
import torch
from builds import THINKS, chat
from bundled import TOKENIZER
from datasets import Dataset
from thorough import some

import maskprep
from maskprep.collate import PackedCollator, RawLoader, TreeCollator

ROWS = [chat(f"question {n}", f"answer {n}", "and?", "so") for n in range(60)]
BAD = {"messages": [{"role": "user", "content": "nobody answers"}]}


@pytest.fixture(scope="module")
def masker():
    return maskprep.Masker(TOKENIZER)


def documents(batches) -> Counter:
    """Count the documents of batches of one row: their tokens and labels."""
    found = Counter()
    for batch in batches:
        ends = batch["cu_seq_lens_q"].tolist()
        for low, high in itertools.pairwise(ends):
            found[tuple(batch["input_ids"][0, low:high].tolist())] += 1
    return found


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


def wanted(masker, rows) -> Counter:
    return Counter(tuple(masker(row).input_ids.tolist()) for row in rows)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("rows", [ROWS, Dataset.from_list(ROWS)], ids=["list", "data set"])
def test_every_row_comes_once(masker, rows, workers):
    loader = RawLoader(masker, rows, length=256, batch_size=2, window=16, workers=workers)
    batches = list(loader)
    assert documents(batches) == wanted(masker, ROWS)
    assert all(batch["max_length_q"] <= 256 for batch in batches)
    assert loader.epoch == 1
    again = list(loader)
    assert documents(again) == documents(batches)
    assert [b["input_ids"].tolist() for b in again] != [b["input_ids"].tolist() for b in batches]


def test_the_stream_is_the_same_with_any_number_of_workers(masker):
    streams = [list(RawLoader(masker, ROWS, length=200, window=7, workers=n)) for n in (0, 1, 2)]
    for other in streams[1:]:
        assert len(other) == len(streams[0])
        assert all(map(same, streams[0], other))


@pytest.mark.sweep
@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_where_it_stopped(masker, workers):
    settings = {"length": 200, "window": 7, "seed": 3}
    whole = list(itertools.islice(RawLoader(masker, ROWS, endless=True, workers=workers, **settings), 60))
    for stop in some((9, 0, 1, 33, 41), 3):
        first = RawLoader(masker, ROWS, endless=True, workers=workers, **settings)
        stream = iter(first)
        for _ in range(stop):
            next(stream)
        state = first.state_dict()
        stream.close()
        rest = RawLoader(masker, ROWS, endless=True, workers=workers, **settings)
        rest.load_state_dict(state)
        assert all(map(same, whole[stop : stop + 12], itertools.islice(rest, 12)))


def test_another_stream_is_not_gone_on_with(masker):
    state = RawLoader(masker, ROWS, length=200).state_dict()
    with pytest.raises(maskprep.UsageError, match="length is 100 and was 200"):
        RawLoader(masker, ROWS, length=100).load_state_dict(state)
    with pytest.raises(maskprep.UsageError, match="masker is"):
        RawLoader(maskprep.Masker(TOKENIZER, train={"turns": "last"}), ROWS, length=200).load_state_dict(state)
    with pytest.raises(maskprep.UsageError, match="rows is 59"):
        RawLoader(masker, ROWS[1:], length=200).load_state_dict(state)


@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_the_rows(masker, shuffle):
    parts = [
        documents(RawLoader(masker, ROWS, length=200, window=7, rank=r, world_size=3, shuffle=shuffle, workers=0))
        for r in range(3)
    ]
    assert sum(parts, Counter()) == wanted(masker, ROWS)
    assert all(parts)


def test_what_can_only_be_iterated_comes_in_its_order(masker):
    class Rows:
        def __iter__(self):
            return iter(ROWS)

    settings = {"length": 200, "window": 7, "shuffle": False}
    assert all(map(same, RawLoader(masker, ROWS, **settings), RawLoader(masker, Rows(), workers=2, **settings)))
    with pytest.raises(maskprep.UsageError, match="cannot be shuffled"):
        RawLoader(masker, Rows())


def test_without_a_length_each_document_is_a_row(masker):
    collate = PackedCollator("positions")
    batches = list(RawLoader(masker, ROWS, batch_size=4, window=16, collate=collate, shuffle=False, workers=0))
    assert [len(batch["input_ids"]) for batch in batches] == [4] * 15
    first = masker(ROWS[0])
    assert batches[0]["labels"][0, : len(first)].tolist() == first.labels.tolist()


def test_rows_that_cannot_be_used_are_told_once_and_counted(masker):
    rows = [*ROWS[:5], BAD, *ROWS[5:9], BAD]
    loader = RawLoader(masker, rows, length=200, workers=1)
    with pytest.warns(UserWarning, match="nothing-to-train") as told:
        found = documents(loader)
    assert len(told) == 1
    assert loader.rejected == {"nothing-to-train": 2}
    assert found == wanted(masker, ROWS[:9])
    with pytest.raises(maskprep.BuildError, match="nothing-to-train"):
        list(RawLoader(masker, rows, length=200, rejects="raise", workers=0))


def test_a_document_that_does_not_fit_is_an_error_with_a_way_out(masker):
    with pytest.raises(maskprep.UsageError, match="max_length=20"):
        list(RawLoader(masker, ROWS, length=20, workers=0))


def test_trees_go_to_a_collator_that_masks_them(tmp_path):
    (tmp_path / "thinks.jinja").write_text(THINKS)
    masker = maskprep.Masker(TOKENIZER, chat_template=str(tmp_path / "thinks.jinja"), history="tree")
    rows = [*ROWS[:6], chat("a", "b")]
    collate = TreeCollator(attention="sdpa")
    batches = list(RawLoader(masker, rows, length=300, collate=collate, workers=0))
    trained = sum(int((batch["labels"] != -100).sum()) for batch in batches)
    assert trained == sum(masker(row).trained_tokens for row in rows)
    assert all(batch["attention_mask"].dtype == torch.bool for batch in batches)
    with pytest.raises(ValueError, match="TreeCollator"):
        list(RawLoader(masker, rows, length=300, workers=0))


def test_settings_that_make_no_sense(masker):
    for settings in ({"rank": 1}, {"length": 0}, {"strategy": "worst_fit"}, {"rejects": "skip"}, {"workers": -1}):
        with pytest.raises(maskprep.UsageError):
            RawLoader(masker, ROWS, **settings)


def test_it_is_not_put_into_workers_of_another_loader(masker):
    loader = torch.utils.data.DataLoader(RawLoader(masker, ROWS), batch_size=None, num_workers=1)
    with warnings.catch_warnings(), pytest.raises(maskprep.UsageError, match="workers of its own"):
        next(iter(loader))


def test_a_rank_without_a_batch_does_not_wait_for_ever(masker):
    loader = RawLoader(masker, ROWS, length=200, rank=1, world_size=2, endless=True, workers=0)
    with pytest.raises(maskprep.UsageError, match="rank 1 of 2 has no batch"):
        next(iter(loader))


def test_all_rows_are_read_as_the_first_are(masker):
    rows = [*ROWS, *ROWS, *({"prompt": f"a{n}", "completion": "b"} for n in range(3))]
    loader = RawLoader(masker, rows, length=200, window=10, workers=0)
    with pytest.warns(UserWarning, match="mixed-formats"):
        found = documents(loader)
    assert sum(found.values()) == 120
    assert loader.rejected == {"mixed-formats": 3}
