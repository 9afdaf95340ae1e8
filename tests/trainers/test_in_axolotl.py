"""maskprep within Axolotl: its own loading code asks for our strategy, and for what our plug-in read.

Its release pins other versions of transformers than ours, so that it is no part of the test extra.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from asked import EXAMPLES, SETTINGS, made, plain, plain_file
from bundled import CONVERSATIONS, TOKENIZER
from steps import EXACT, STEPS, by_hand, show

import maskprep

pytestmark = [pytest.mark.trainers, pytest.mark.long]
NAME = "maskprep.integrations.axolotl"
FILE = {"path": str(CONVERSATIONS), "ds_type": "json", "type": NAME}


@pytest.fixture(autouse=True)
def axolotl(monkeypatch):
    monkeypatch.setenv("AXOLOTL_DO_NOT_TRACK", "1")
    pytest.importorskip("axolotl.utils.data.sft", exc_type=ImportError)
    from axolotl.integrations.base import PluginManager

    yield
    PluginManager.get_instance().plugins.clear()


@pytest.fixture
def prepared(model):
    """Return what runs Axolotl's loading of a configuration, as its command line does. Returns rows and settings."""
    from axolotl.integrations.base import PluginManager
    from axolotl.loaders import load_tokenizer
    from axolotl.utils.config import normalize_config, prepare_plugins, validate_config
    from axolotl.utils.data.sft import prepare_datasets
    from axolotl.utils.dict import DictDefault

    def run(datasets, **more):
        told = yaml.safe_load((EXAMPLES / "axolotl.yml").read_text())
        Path("prepared").mkdir(exist_ok=True)
        changed = {"base_model": model, "tokenizer_config": str(TOKENIZER), "datasets": datasets}
        cfg = DictDefault({**told, **changed, "dataset_num_proc": 1, **more})
        Path("axolotl.yml").write_text(yaml.safe_dump(cfg.to_dict()))
        cfg.axolotl_config_path = "axolotl.yml"
        if cfg.plugins:
            prepare_plugins(cfg)
        cfg = validate_config(cfg)
        normalize_config(cfg)
        tokenizer = load_tokenizer(cfg)
        if cfg.plugins:
            assert PluginManager.get_instance().load_datasets(cfg, preprocess=False) is None
        return prepare_datasets(cfg, tokenizer)[0], tokenizer

    return run


def alike(data, expected):
    assert set(data.column_names) >= {"input_ids", "attention_mask", "labels"}
    found = sorted(zip(data["input_ids"], data["labels"], strict=True))
    assert found == sorted((row["input_ids"], row["labels"]) for row in expected)
    assert all(set(mask) == {1} for mask in data["attention_mask"])


def check_losses(data, tokenizer, model, expected, what):
    """Batch rows as Axolotl does, and compare the loss of a few batches with that by hand."""
    from axolotl.utils.collators.batching import V2BatchSamplerDataCollatorForSeq2Seq
    from axolotl.utils.samplers.multipack import MultipackBatchSampler
    from transformers import AutoModelForCausalLM

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
    collator = V2BatchSamplerDataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=64)
    trained = AutoModelForCausalLM.from_pretrained(model)
    by_ids = {tuple(row["input_ids"]): row for row in expected}
    for bins in list(sampler)[:STEPS]:
        for numbers in bins:
            picked = [data[number] for number in numbers]
            meant = by_hand(model, trained.state_dict(), [by_ids[tuple(row["input_ids"])] for row in picked])
            batch = collator([picked])
            batch.pop("attention_mask")  # as its trainer does where the attention keeps documents apart
            loss = trained(**batch, use_cache=False).loss.item()
            show(what, [loss], [meant])
            assert loss == pytest.approx(meant, abs=EXACT)


def test_the_strategy_makes_the_rows_of_masker_and_its_loss(prepared, model, tmp_path):
    text = yaml.safe_dump({"max_rejects": 0.2, "history": "split"}, default_flow_style=True)
    file = plain_file(tmp_path / "plain.jsonl")
    data, tokenizer = prepared([{**FILE, "path": file, "input_transform": text}], plugins=None)
    expected = made(plain())
    assert len(expected) > 10
    alike(data, expected)
    check_losses(data, tokenizer, model, expected, "axolotl: strategy")


def test_the_plug_in_reads_all_that_maskprep_reads(prepared, model):
    told = yaml.safe_load((EXAMPLES / "axolotl.yml").read_text())["datasets"][0]
    data, tokenizer = prepared([{**told, "path": str(CONVERSATIONS)}])
    expected = made()
    alike(data, expected)
    check_losses(data, tokenizer, model, expected, "axolotl: plug-in")


def test_other_settings_are_other_rows_and_not_those_prepared_before(prepared):
    told = {**FILE, "maskprep": SETTINGS}
    first, _ = prepared([told])
    last, _ = prepared([{**told, "maskprep": {**SETTINGS, "train": {"turns": "last"}}}])
    alike(first, made())
    alike(last, made(train={"turns": "last"}))
    assert sorted(first["labels"]) != sorted(last["labels"])


def test_a_file_that_was_written_again_is_read_again(prepared):
    copy = Path("rows.jsonl")
    shutil.copy(CONVERSATIONS, copy)
    told = {**FILE, "path": str(copy), "maskprep": SETTINGS}
    first, _ = prepared([told])
    copy.write_text("".join(copy.read_text().splitlines(keepends=True)[:20]))
    assert 0 < len(prepared([told])[0]) < len(first)


def test_settings_that_axolotl_dropped_are_missed(prepared, tmp_path):
    file = plain_file(tmp_path / "plain.jsonl")
    with pytest.raises(maskprep.UsageError, match="dropped by Axolotl"):
        prepared([{**FILE, "path": file, "maskprep": SETTINGS}], plugins=None)


def test_trees_are_refused(prepared, tmp_path):
    file = plain_file(tmp_path / "plain.jsonl")
    with pytest.raises(maskprep.UsageError, match="its own branch"):
        prepared([{**FILE, "path": file, "input_transform": "{history: tree, max_rejects: 1}"}], plugins=None)
