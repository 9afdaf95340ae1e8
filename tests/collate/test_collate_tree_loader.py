"""The loader over builds of trees: packed as they are, with ordinary documents beside them, from workers, too."""

from __future__ import annotations

import folders
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import Gemma3TextConfig

from maskprep.collate import PackedCollator, PackedLoader, TreeCollator
from maskprep.collate.stored import StoredDocuments
from maskprep.dataset.trees import visible_until
from maskprep.errors import UsageError

LENGTH = 24
DEPTHS = [0, 1, 2, 3, 1, 2, 3]


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Return a build of 40 documents, every second of which is a tree."""
    made = [folders.make_tree(name) if name % 2 else folders.make_document(name, 5) for name in range(1, 41)]
    return folders.write_all(tmp_path_factory.mktemp("data") / "trees", made, trees=True)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "ordinary", [4] * 20, first=101)


def loader(folder, collate=None, **more):
    collate = collate or TreeCollator(attention="sdpa", length=LENGTH)
    return PackedLoader(folder, **{"length": LENGTH, "workers": 0, "batch_size": 2, "collate": collate, **more})


def documents(batch):
    """Return the name, the depths and the mask of each document of a batch; all that it sees is its own."""
    found = []
    for ids, positions, mask in zip(
        batch["input_ids"].numpy(), batch["position_ids"].numpy(), batch["attention_mask"][:, 0].numpy(), strict=True
    ):
        for name in np.unique(ids[ids > 0]).tolist():
            [own] = np.nonzero(ids == name)
            assert own.tolist() == list(range(own[0], own[-1] + 1))
            rest = np.setdiff1d(np.arange(len(ids)), own)
            assert not mask[np.ix_(own, rest)].any()
            assert not mask[np.ix_(rest, own)].any()
            found.append((name, positions[own].tolist(), mask[np.ix_(own, own)]))
    return found


def seen(positions):
    until, places = visible_until(np.asarray(positions)), np.arange(len(positions))
    return (places[None] <= places[:, None]) & (places[:, None] < until[None])


def test_trees_and_ordinary_documents_of_two_folders(trees, ordinary):
    found = [one for batch in loader([trees, ordinary]) for one in documents(batch)]
    assert sorted(name for name, _, _ in found) == [*range(1, 41), *range(101, 121)]
    for name, positions, mask in found:
        size = 4 if name > 100 else 5
        assert positions == (DEPTHS if name % 2 and name < 100 else list(range(size)))
        assert np.array_equal(mask, seen(positions))


def test_visible_until_counts_from_the_first_token_of_a_row(trees):
    row = StoredDocuments([trees]).row([0, 1, 2])
    assert row["seq_lengths"].tolist() == [7, 5, 7]
    assert row["position_ids"].tolist() == [*DEPTHS, *range(5), *DEPTHS]
    assert row["visible_until"].tolist() == [7, 4, 4, 4, 7, 7, 7, *[12] * 5, 19, 16, 16, 16, 19, 19, 19]


def test_more_ranks_than_trees(tmp_path):
    path = folders.write_all(tmp_path / "few", [folders.make_tree(1)], trees=True)
    batches = [list(loader(path, rank=rank, world_size=2)) for rank in range(2)]
    assert sorted(int((batch["labels"] != -100).sum()) for [batch] in batches) == [0, 5]


def test_the_mask_is_asked_for(trees):
    with pytest.raises(UsageError, match="mask depends on the layers") as error:
        PackedLoader(trees, length=LENGTH)
    assert "collate=TreeCollator(model.config" in error.value.hint
    with pytest.raises(ValueError, match="is a tree"):
        list(loader(trees, PackedCollator("sdpa")))


def test_packed_trees_are_refused(tmp_path, trees):
    from datasets import load_from_disk

    rows = load_from_disk(str(trees)).select(range(3))
    rows.add_column("seq_lengths", [[len(ids)] for ids in rows["input_ids"]]).save_to_disk(str(tmp_path / "packed"))
    with pytest.raises(UsageError, match="is packed already"):
        loader(tmp_path / "packed")


@pytest.mark.parametrize("kind", ["look-ahead", "data loader"])
def test_block_masks_come_from_workers(kind, trees):
    layers = ["full_attention", "sliding_attention"]
    config = Gemma3TextConfig(
        layer_types=layers, num_hidden_layers=2, sliding_window=3, attn_implementation="flex_attention"
    )
    collate = TreeCollator(config, length=LENGTH)
    here = list(loader(trees, collate))
    if kind == "look-ahead":
        there = list(loader(trees, collate, workers=1))
    else:
        there = list(DataLoader(loader(trees, collate), batch_size=None, num_workers=2))
    assert len(here) == len(there) > 2
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one["input_ids"], other["input_ids"])
        for layer in layers:
            first, second = one["attention_mask"][layer], other["attention_mask"][layer]
            assert torch.equal(first.to_dense(), second.to_dense())
            for mine, theirs in zip(first.mask_mod.args, second.mask_mod.args, strict=True):
                assert torch.equal(mine, theirs)
