"""What the loaders of other trainers check and make of a row, done again in a few lines, and the loss of that.

Read in their sources: Axolotl 0.19 ``_is_dataset_already_tokenized``, ``add_position_ids``,
``V2BatchSamplerDataCollatorForSeq2Seq``; LLaMA-Factory 0.9.5 ``get_dataset_module``,
``SFTDataCollatorWith4DAttentionMask``; Megatron-Bridge (main) ``GPTSFTPackedParquetDataset.validate_row``,
``GPTSFTPackedDataset.collate_fn``; together 3.1 ``_check_parquet``. ``test_installed.py`` runs the first two for real.
"""

from __future__ import annotations

from itertools import pairwise

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from steps import EXACT, OTHER, by_hand, stored
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq

from maskprep.collate import additive_mask, block_mask
from maskprep.dataset.profiles import PROFILES
from maskprep.labelled import IGNORED

pytestmark = [pytest.mark.trainers, pytest.mark.long]
ROWS = 4


@pytest.fixture
def llama(model):
    """Return the model in training."""
    return AutoModelForCausalLM.from_pretrained(model)


def loss_of(llama, batch):
    with torch.no_grad():
        return llama(**batch, use_cache=False).loss.item()


def test_axolotl_packs_rows_that_are_tokenized(rows, model, llama, tmp_path):
    batch = stored("axolotl", rows[False, False], tmp_path / "data")
    data = datasets.load_from_disk(tmp_path / "data")
    assert isinstance(data, datasets.Dataset)
    assert set(data.features) == {"input_ids", "attention_mask", "labels"}
    picked = data.select(range(ROWS))
    joined = {name: torch.tensor([np.concatenate(picked[name])]) for name in ("input_ids", "labels")}
    positions = torch.tensor([np.concatenate([np.arange(len(ids)) for ids in picked["input_ids"]])])
    meant = by_hand(model, llama.state_dict(), batch.to_pylist()[:ROWS])
    assert loss_of(llama, {**joined, "position_ids": positions}) == pytest.approx(meant, abs=EXACT)
    assert abs(loss_of(llama, joined) - meant) > OTHER  # skip_prepare_dataset: no position_ids


@pytest.mark.parametrize("packed", [False, True])
def test_llamafactory_collates_what_it_loads(packed, rows, tokenizer, model, llama, tmp_path):
    batch = stored("llamafactory", rows[False, packed], tmp_path / "data")
    data = datasets.load_from_disk(tmp_path / "data")
    assert isinstance(data, datasets.DatasetDict)
    picked = [data["train"][number] for number in range(1 if packed else ROWS)]
    made = DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(tokenizer), pad_to_multiple_of=8)(picked)
    numbers = made["attention_mask"]
    meant = by_hand(model, llama.state_dict(), batch.to_pylist()[: len(picked)])
    if packed:
        assert numbers.max() > 1
        assert made["position_ids"].shape == made["input_ids"].shape
        alone = {**made, "attention_mask": additive_mask(block_mask(numbers), torch.float32)}
        assert loss_of(llama, alone) == pytest.approx(meant, abs=EXACT)
        assert abs(loss_of(llama, made) - meant) > OTHER  # without neat_packing
    else:
        assert loss_of(llama, made) == pytest.approx(meant, abs=EXACT)


def parquet(name, batch, file):
    """Write what a trainer reads of a batch, and read it back."""
    main, _ = PROFILES[name].split(batch)
    pq.write_table(pa.Table.from_batches([main]), file)
    assert datasets.load_dataset("parquet", data_files=str(file), split="train").column_names == main.schema.names
    return pq.read_table(file).to_pylist()


def shifted(row, eos=None):
    """Return tokens, labels, mask and positions as Megatron-Bridge makes them of a row."""
    parts = {"tokens": [], "labels": [], "mask": [], "positions": []}
    for start, end in pairwise([*row["seq_start_id"], len(row["input_ids"])]):
        parts["tokens"] += row["input_ids"][start : end - 1]
        parts["labels"] += row["input_ids"][start + 1 : end]
        parts["mask"] += row["loss_mask"][start : end - 1]
        parts["positions"] += range(end - 1 - start)
    found = {name: torch.tensor([values]) for name, values in parts.items()}
    found["mask"][found["tokens"] == eos] = 0
    return found


@torch.no_grad()
def loss_of_megatron(llama, made):
    logits = llama(input_ids=made["tokens"], position_ids=made["positions"], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), made["labels"], reduction="none")
    return float((losses * made["mask"]).sum() / made["mask"].sum())


@pytest.mark.parametrize("packed", [False, True])
def test_megatron_bridge_shifts_document_by_document(packed, rows, tokenizer, model, llama, tmp_path):
    batch = rows[False, packed]
    eos = AutoTokenizer.from_pretrained(tokenizer).eos_token_id
    unrolled = []
    for ours, row in zip(batch.to_pylist()[:ROWS], parquet("megatron", batch, tmp_path / "rows.parquet"), strict=False):
        assert len(row["loss_mask"]) == len(row["input_ids"])
        assert row["seq_start_id"][0] == 0
        assert sorted(set(row["seq_start_id"])) == row["seq_start_id"]
        assert row["seq_start_id"][-1] < len(row["input_ids"])
        made = shifted(row, eos)
        assert made["mask"].sum() == sum(label != IGNORED for label in ours["labels"])
        meant = by_hand(model, llama.state_dict(), [ours])
        assert loss_of_megatron(llama, made) == pytest.approx(meant, abs=EXACT)
        rolled = {**row, "loss_mask": [0, *row["loss_mask"][:-1]]}  # the mask at the token itself
        unrolled.append(abs(loss_of_megatron(llama, shifted(rolled)) - meant))
    assert max(unrolled) > OTHER


def test_megatron_bridge_never_trains_what_follows_eos():
    row = {"input_ids": [5, 2, 6, 7], "seq_start_id": [0], "loss_mask": [1, 1, 1, 0]}
    assert shifted(row, eos=2)["mask"].tolist() == [[1, 0, 1]]


def test_together_takes_no_other_column(rows, tmp_path):
    found = parquet("together", rows[False, False], tmp_path / "rows.parquet")
    assert set(found[0]) <= {"input_ids", "attention_mask", "labels", "position_ids"}
    assert len(found) == rows[False, False].num_rows
    assert [row["labels"] for row in found] == rows[False, False].column("labels").to_pylist()
