"""LLaMA-Factory's, Axolotl's and SkyRL's own code on what is handed to them, where they are installed beside maskprep.

Their releases pin other versions of transformers than ours, so that they are no part of the test extra.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import yaml
from steps import EXACT, OTHER, STEPS, Watch, by_hand, expected, settings, show, stored

pytestmark = [pytest.mark.trainers, pytest.mark.long]


def losses_of_llamafactory(program, model, tmp_path, size, **more):
    """Train on what LLaMA-Factory loads and collates by the YAML of ``program``. Returns losses and weights."""
    from llamafactory.data import SFTDataCollatorWith4DAttentionMask, get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

    given = {
        "do_train": True,
        "finetuning_type": "full",
        "output_dir": str(tmp_path / "out"),
        "per_device_train_batch_size": size,
        "max_steps": STEPS,
        "logging_steps": 1,
        "learning_rate": 1e-2,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
    }
    told = get_train_args({**given, **yaml.safe_load(program), **more})
    model_args, data_args, training_args = told[:3]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    data = get_dataset(template, model_args, data_args, training_args, stage="sft", tokenizer=tokenizer)
    trained = AutoModelForCausalLM.from_pretrained(model)
    collator = SFTDataCollatorWith4DAttentionMask(
        template=template,
        model=trained,
        tokenizer=tokenizer,
        pad_to_multiple_of=8,
        block_diag_attn=model_args.block_diag_attn,
        neat_packing=data_args.neat_packing,
        attn_implementation=trained.config._attn_implementation,
    )
    watch = Watch()
    trainer = Trainer(trained, training_args, data_collator=collator, callbacks=[watch], **data)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], watch.weights


@pytest.mark.parametrize(("packed", "size"), [(False, 2), (True, 1)])
def test_llamafactory_trains_with_the_verified_loss(packed, size, rows, tokenizer, model, tmp_path, monkeypatch):
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    pytest.importorskip("llamafactory.hparams", exc_type=ImportError)
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    batch = stored("llamafactory", rows[False, packed], tmp_path / "data")
    program = settings("llamafactory", tmp_path / "data", tokenizer, model, packed=packed)
    losses, weights = losses_of_llamafactory(program, model, tmp_path, size)
    meant = expected(model, weights, batch, size)
    show(f"llamafactory {'packed' if packed else 'unpacked'}", losses, meant)
    assert losses == pytest.approx(meant, abs=EXACT)
    if packed:
        wrong, _ = losses_of_llamafactory(program, model, tmp_path, size, neat_packing=False)
        show("llamafactory: packed rows without neat_packing", wrong, meant)
        assert abs(wrong[0] - meant[0]) > OTHER


def test_axolotl_loads_and_packs_with_the_verified_loss(rows, tokenizer, model, tmp_path):
    pytest.importorskip("axolotl.utils.data.sft", exc_type=ImportError)
    from axolotl.utils.collators.batching import V2BatchSamplerDataCollatorForSeq2Seq
    from axolotl.utils.data.sft import prepare_datasets
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.samplers.multipack import MultipackBatchSampler
    from axolotl.utils.schemas.datasets import SFTDataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    batch = stored("axolotl", rows[False, False], tmp_path / "data")
    told = yaml.safe_load(settings("axolotl", tmp_path / "data", tokenizer, model))
    SFTDataset(**told["datasets"][0])
    usual = {"micro_batch_size": 1, "num_epochs": 1, "batch_size": 1, "seed": 1, "dataset_num_proc": 1}
    config = DictDefault({**told, **usual, "sample_packing_bin_size": 200, "sample_packing_group_size": 100_000})
    read = AutoTokenizer.from_pretrained(tokenizer)
    data, _, _, _ = prepare_datasets(config, read)
    assert len(data) == batch.num_rows  # nothing was dropped
    assert sorted(data["labels"]) == sorted(batch.column("labels").to_pylist())
    shutil.rmtree(tmp_path / "data")
    stored("axolotl", batch[:3], tmp_path / "data")
    assert len(prepare_datasets(config, read)[0]) == batch.num_rows  # its own copy, of what was there before
    by_ids = {tuple(row["input_ids"]): row for row in batch.to_pylist()}
    sampler = MultipackBatchSampler(
        range(len(data)),
        batch_size=1,
        batch_max_len=1024,
        lengths=np.asarray(data["length"]),
        bin_size=200,
        group_size=100_000,
        num_processes=1,
        drop_last=False,
    )
    collator = V2BatchSamplerDataCollatorForSeq2Seq(read, pad_to_multiple_of=64)
    trained = AutoModelForCausalLM.from_pretrained(model)
    several = 0
    for bins in list(sampler)[:STEPS]:
        for numbers in bins:
            picked = [data[number] for number in numbers]
            several += len(picked) > 1
            meant = by_hand(model, trained.state_dict(), [by_ids[tuple(row["input_ids"])] for row in picked])
            made = collator([picked])
            made.pop("attention_mask")  # as its trainer does where the attention keeps documents apart
            loss = trained(**made, use_cache=False).loss.item()
            show("axolotl multipack", [loss], [meant])
            assert loss == pytest.approx(meant, abs=EXACT)
            made.pop("position_ids")
            assert abs(trained(**made, use_cache=False).loss.item() - meant) > OTHER
    assert several


@torch.no_grad()
def test_skyrl_collates_with_the_verified_loss(rows, tokenizer, model, tmp_path):
    pytest.importorskip("skyrl.train.sft_trainer", exc_type=ImportError)
    from skyrl.backends.skyrl_train.utils.ppo_utils import cross_entropy_loss
    from skyrl.train.config.sft_config import SFTConfig
    from skyrl.train.dataset.collators import DefaultCollator
    from transformers import AutoModelForCausalLM, AutoTokenizer

    batch = stored("skyrl", rows[False, False], tmp_path / "data")
    place = {}
    program, _, _ = settings("skyrl", tmp_path / "data", tokenizer, model).partition("config = ")
    exec(program, place)
    data = place["Tokenized"].load_dataset(None)  # it asks nothing of the trainer
    SFTConfig(max_length=1024)
    collator = DefaultCollator(AutoTokenizer.from_pretrained(tokenizer), micro_train_batch_size_per_gpu=2)
    trained = AutoModelForCausalLM.from_pretrained(model).eval()
    for start in range(0, 6, 2):
        made = collator(data[start : start + 2], 2)
        ids, seen, count = made["sequences"], made["attention_mask"], made.metadata["response_length"]
        places = (seen.cumsum(-1) - 1).clamp(min=0)
        logits = trained(ids, attention_mask=seen, position_ids=places, use_cache=False).logits
        # As its model does: the token that follows, rolled, and of that the last places.
        chances = torch.log_softmax(logits, -1).gather(2, ids.roll(-1, 1)[..., None])[..., 0]
        loss, _ = cross_entropy_loss(chances[:, -count - 1 : -1], None, None, None, made["loss_mask"])
        meant = by_hand(model, trained.state_dict(), batch.to_pylist()[start : start + 2])
        show("skyrl", [loss.item()], [meant])
        assert loss.item() == pytest.approx(meant, abs=EXACT)
