"""Padding by position: the shape, the places, and nothing that depends on a token's value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskprep.collate import PaddingCollator

PAD = 2
ROWS = [
    {"input_ids": [5, PAD, 7], "labels": [-100, PAD, 7], "spans": [{"role": "user"}], "origin": {"file": "a"}},
    {"input_ids": [PAD], "labels": [-100]},
    {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]},
]
TOKENS = st.lists(st.integers(0, 9), min_size=1, max_size=20)


def test_right():
    batch = PaddingCollator(PAD)(ROWS)
    assert batch.keys() == {"input_ids", "labels", "attention_mask", "position_ids"}
    assert batch["input_ids"].tolist() == [[5, PAD, 7, PAD], [PAD, PAD, PAD, PAD], [1, 2, 3, 4]]
    assert batch["labels"].tolist() == [[-100, PAD, 7, -100], [-100] * 4, [-100, -100, 3, 4]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0], [0, 0, 0, 0], [0, 1, 2, 3]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_left():
    batch = PaddingCollator(PAD, "left")(ROWS)
    assert batch["input_ids"].tolist() == [[PAD, 5, PAD, 7], [PAD, PAD, PAD, PAD], [1, 2, 3, 4]]
    assert batch["labels"].tolist() == [[-100, -100, PAD, 7], [-100] * 4, [-100, -100, 3, 4]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 0, 1, 2], [0, 0, 0, 0], [0, 1, 2, 3]]


@given(
    st.lists(TOKENS, min_size=1, max_size=5), st.sampled_from(["right", "left"]), st.integers(1, 9), st.integers(0, 9)
)
def test_the_mask_finds_every_row_again_whatever_the_pad_token(rows, side, multiple, pad):
    batch = PaddingCollator(pad, side, multiple_of=multiple)([{"input_ids": ids, "labels": ids} for ids in rows])
    length = batch["input_ids"].shape[1]
    assert length % multiple == 0
    assert length - max(map(len, rows)) < multiple
    for number, ids in enumerate(rows):
        mask = batch["attention_mask"][number].bool()
        assert batch["input_ids"][number][mask].tolist() == ids
        assert batch["labels"][number][mask].tolist() == ids
        assert set(batch["labels"][number][~mask].tolist()) <= {-100}
        assert batch["position_ids"][number][mask].tolist() == list(range(len(ids)))
        assert mask.tolist() == sorted(mask.tolist(), reverse=side == "right")


@pytest.mark.parametrize("make", [list, np.asarray, torch.tensor, lambda values: np.asarray(values, np.int32)])
def test_any_kind_of_column(make):
    rows = [{"input_ids": make([1, 2]), "labels": make([-100, 2]), "loss_weights": make([0.0, 1.5])}]
    rows[0]["loss_weights"] = [0.0, 1.5]
    rows.append({"input_ids": make([3]), "labels": make([-100]), "loss_weights": [1.0]})
    batch = PaddingCollator(0)(rows)
    assert batch["labels"].tolist() == [[-100, 2], [-100, -100]]
    assert batch["loss_weights"].tolist() == [[0.0, 1.5], [1.0, 0.0]]
    assert batch["loss_weights"].dtype == torch.float32


def test_a_mask_of_the_data_is_kept():
    rows = [
        {"input_ids": [1, 2], "labels": [-100, 2], "attention_mask": [0, 1]},
        {**ROWS[2], "attention_mask": [1] * 4},
    ]
    assert PaddingCollator(0)(rows)["attention_mask"].tolist() == [[0, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    "packed",
    [
        {"input_ids": [1, 2, 3], "labels": [-100, 2, -100], "position_ids": [0, 1, 0]},
        {"input_ids": [1, 2, 3], "labels": [-100, 2, -100], "seq_lengths": [2, 1]},
    ],
)
def test_packed_rows_are_refused(packed):
    with pytest.raises(ValueError, match=r"row 1 of the batch is packed.*PackedCollator"):
        PaddingCollator(0)([ROWS[0], packed])


def test_positions_of_one_document_are_no_pack():
    row = {"input_ids": [1, 2], "labels": [-100, 2], "position_ids": [0, 1], "seq_lengths": [2]}
    assert PaddingCollator(0)([row])["position_ids"].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "needs rows"),
        ([{"input_ids": [1]}], "row 0 of the batch has no 'labels': it has input_ids"),
        ([ROWS[0], {"input_ids": [1], "labels": [1, 2]}], r"row 1 of the batch: 'labels' has the shape \(2,\) for 1"),
        (
            [ROWS[0], {"input_ids": [1] * 5, "labels": [1] * 5}],
            "row 1 of the batch has 5 tokens, more than max_length 4",
        ),
    ],
)
def test_what_makes_no_batch(rows, said):
    with pytest.raises(ValueError, match=said):
        PaddingCollator(0, max_length=4)(rows)


@pytest.mark.parametrize("settings", [{"side": "middle"}, {"multiple_of": 0}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        PaddingCollator(0, **settings)
