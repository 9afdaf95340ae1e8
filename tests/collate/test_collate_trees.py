"""Batches of trees: what they hold, what is refused, and what their masks say."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from grown import LAYERS, SHAPE, TREE, TREES, make_tree, packed, plain
from hypothesis import given
from hypothesis import strategies as st
from transformers import Gemma3TextConfig, MistralConfig

from maskprep.collate import PackedCollator, PaddingCollator, TreeCollator, tree_mask
from maskprep.dataset.trees import fault
from maskprep.labelled import IGNORED


def test_the_trees_of_these_tests_are_sound():
    for row in TREES:
        columns = [np.asarray(row[n]) for n in ("input_ids", "labels", "position_ids", "visible_until")]
        assert not fault(*columns)


def test_a_batch_of_a_tree_and_an_ordinary_row():
    batch = TreeCollator(attention="sdpa", pad_token_id=9)([TREE, {"input_ids": [4, 5], "labels": [4, 5]}])
    assert batch.keys() == {"input_ids", "labels", "position_ids", "attention_mask", "use_cache"}
    assert batch["use_cache"] is False
    assert batch["input_ids"].tolist() == [TREE["input_ids"], [4, 5, *[9] * 6]]
    assert batch["labels"].tolist() == [TREE["labels"], [-100, 5, *[-100] * 6]]
    assert batch["position_ids"].tolist() == [TREE["position_ids"], [0, 1, *[0] * 6]]
    assert {batch[name].dtype for name in ("input_ids", "labels", "position_ids")} == {torch.int64}
    assert batch["attention_mask"].shape == (2, 1, 8, 8)
    assert batch["attention_mask"].int().tolist()[0][0] == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 0, 0, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 0, 1, 1, 0],
        [1, 0, 0, 0, 0, 1, 1, 1],
    ]
    padded = batch["attention_mask"][1, 0].int()
    assert padded[:2].tolist() == [[1, *[0] * 7], [1, 1, *[0] * 6]]
    assert torch.equal(padded[2:], torch.eye(8, dtype=torch.int32)[2:])


def test_the_mask_of_eager_attention_is_added():
    batch = TreeCollator(attention="eager", dtype=torch.bfloat16)([TREE])
    seen = TreeCollator(attention="sdpa")([TREE])["attention_mask"]
    assert batch["attention_mask"].dtype == torch.bfloat16
    assert torch.equal(batch["attention_mask"] == 0, seen)
    assert (batch["attention_mask"][~seen] == torch.finfo(torch.bfloat16).min).all()


def test_a_window_is_counted_in_depths():
    config = MistralConfig(**SHAPE, sliding_window=3, attn_implementation="sdpa")
    mask = TreeCollator(config)([TREE])["attention_mask"][0, 0].int()
    assert mask[3].tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert mask[6].tolist() == [1, 0, 0, 0, 0, 1, 1, 0]  # at place 6, but of depth 2
    assert mask[7].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_weights_length_and_multiple():
    row = {**TREE, "loss_weights": [0.5] * 8}
    batch = TreeCollator(attention="sdpa", length=9, multiple_of=4)([row])
    assert batch["loss_weights"].tolist() == [[0.5] * 8 + [0] * 4]
    assert batch["input_ids"].shape == (1, 12)
    with pytest.raises(ValueError, match="row 1 of the batch has no 'loss_weights'"):
        TreeCollator(attention="sdpa")([row, TREE])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"visible_until": [8, 5, 5, 5, 5, 8, 8, 9]}, "not those of trees"),
        ({"visible_until": [8, 5, 2, 5, 5, 8, 8, 8]}, "not those of trees"),
        ({"visible_until": [8, 5]}, r"shape \(2,\) for 8 tokens"),
        ({"position_ids": None}, "no 'position_ids'"),
        ({"visible_until": None}, "which token sees which"),
        ({"seq_lengths": [4, 5]}, "do not make its 8"),
        ({"labels": [-100, -100, -100, -100, 5, 2, 6, 7]}, "token 5, which opens a branch, is trained"),
        ({name: [1] * 9 for name in ("input_ids", "labels")}, "has 9 tokens, more than the length 8"),
    ],
)
def test_what_makes_no_batch(row, said):
    row = {**TREE, **row}
    if len(row["input_ids"]) > 8:
        row = {name: row[name] for name in ("input_ids", "labels")}
    with pytest.raises(ValueError, match=said):
        TreeCollator(attention="sdpa", length=8)([row])


@pytest.mark.parametrize(
    "settings",
    [{}, {"attention": "varlen"}, {"attention": "sdpa", "length": 0}, {"attention": "sdpa", "multiple_of": 0}],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=r"attention|multiple_of|length"):
        TreeCollator(**settings)


@pytest.mark.parametrize("collate", [PackedCollator("sdpa"), PackedCollator(), PaddingCollator(0)])
def test_other_collators_refuse_trees(collate):
    rows = [TREE, packed(TREE, TREE), {**packed(TREE, TREE), "visible_until": None}, {**TREE, "visible_until": None}]
    for row in rows:
        with pytest.raises(ValueError, match=r"TreeCollator|PackedCollator|which are its documents"):
            collate([row])
    for row in rows[:2]:
        with pytest.raises(ValueError, match=r"is a tree.*use TreeCollator"):
            collate([row])
    one = packed(plain(TREE))
    assert collate([one])["input_ids"].tolist() == [plain(TREE)["input_ids"]]


def by_hand(until, positions, window):
    """Return what the columns of a row say, one pair at a time."""
    size = len(until)
    return [
        [j <= q < until[j] and (window is None or positions[q] - positions[j] < window) for j in range(size)]
        for q in range(size)
    ]


BRANCHES = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), max_size=5)


@given(st.lists(BRANCHES, min_size=1, max_size=3), st.sampled_from([None, 1, 3]), st.integers(1, 4))
def test_masks_are_what_the_columns_say(trees, window, block):
    from torch.nn.attention.flex_attention import create_mask

    from maskprep.collate import flex_trees

    rows = []
    for number, branches in enumerate(trees):
        made, deepest = [(0, 5)], 4
        for depth, size in branches:
            made.append((min(depth + 1, deepest), size))
            deepest = made[-1][0] + size - 1
        rows.append(make_tree(*made, seed=number))
    batch = TreeCollator(attention="sdpa")(rows)
    positions, length = batch["position_ids"], batch["input_ids"].shape[1]
    until = torch.stack(
        [torch.tensor([*row["visible_until"], *range(len(row["visible_until"]) + 1, length + 1)]) for row in rows]
    )
    expected = torch.tensor([by_hand(u, p, window) for u, p in zip(until.tolist(), positions.tolist(), strict=True)])
    assert torch.equal(tree_mask(until, positions, window)[:, 0], expected)
    before, flex_trees.BLOCK = flex_trees.BLOCK, block
    try:
        sparse = flex_trees.tree_block_mask(until, positions, window)
    finally:
        flex_trees.BLOCK = before
    assert torch.equal(create_mask(sparse.mask_mod, len(rows), None, length, length, device="cpu")[:, 0], expected)
    blocks = -(-length // block)
    for row in range(len(rows)):
        for q in range(blocks):
            full = set(sparse.full_kv_indices[row, 0, q, : sparse.full_kv_num_blocks[row, 0, q]].tolist())
            some = set(sparse.kv_indices[row, 0, q, : sparse.kv_num_blocks[row, 0, q]].tolist())
            assert not full & some
            for k in range(blocks):
                there = expected[row, q * block : (q + 1) * block, k * block : (k + 1) * block]
                assert k in full | some or not there.any()
                assert k not in full or (there.all() and there.shape == (block, block))
                assert window or (k in full | some) == bool(there.any())


def test_a_block_mask_leaves_its_process_and_moves_with_all_that_it_holds():
    config = MistralConfig(**SHAPE, sliding_window=3, attn_implementation="flex_attention")
    for collate in (TreeCollator(attention="flex"), TreeCollator(config)):
        mask = collate([TREE])["attention_mask"]
        again = pickle.loads(pickle.dumps(mask))
        assert torch.equal(again.to_dense(), mask.to_dense())
        assert torch.equal(again.mask_mod.args[0], mask.mask_mod.args[0])
        moved = mask.to("meta")
        assert {tensor.device.type for tensor in [moved.kv_indices, moved.full_q_indices, *moved.mask_mod.args]} == {
            "meta"
        }
        assert mask.kv_indices.device.type == "cpu"
        assert mask.clone().kv_indices.data_ptr() != mask.kv_indices.data_ptr()


def test_accelerate_moves_masks_and_dicts_of_them():
    from accelerate.utils import send_to_device

    config = Gemma3TextConfig(**SHAPE, layer_types=LAYERS, sliding_window=3, attn_implementation="flex_attention")
    moved = send_to_device(TreeCollator(config)([TREE]), torch.device("meta"), non_blocking=True)
    assert moved["attention_mask"].keys() == {"full_attention", "sliding_attention"}
    for mask in moved["attention_mask"].values():
        assert {tensor.device.type for tensor in [mask.kv_indices, *mask.mask_mod.args]} == {"meta"}


def test_labels_of_first_tokens_are_never_trained():
    batch = TreeCollator(attention="sdpa")([{"input_ids": [4, 5, 6], "labels": [4, 5, 6], "seq_lengths": [2, 1]}])
    assert batch["labels"].tolist() == [[IGNORED, 5, IGNORED]]
    with pytest.raises(ValueError, match="needs rows"):
        TreeCollator(attention="sdpa")([])
