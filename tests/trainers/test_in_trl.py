"""TRL's trainer on a data set that ``Masker.map`` made: the example, run for a few steps."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from asked import EXAMPLES, SETTINGS, made, plain
from bundled import TOKENIZER
from datasets import Dataset
from steps import EXACT, OTHER, STEPS, Watch, by_hand, show

import maskprep

pytestmark = [pytest.mark.trainers, pytest.mark.long]


@pytest.fixture
def example():
    """The example as a module."""
    pytest.importorskip("trl")
    spec = importlib.util.spec_from_file_location("trl_sft", EXAMPLES / "trl_sft.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def losses(example, **more):
    torch.manual_seed(7)
    arguments = {
        "max_steps": STEPS,
        "logging_steps": 1,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-2,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }
    data = maskprep.Masker(str(TOKENIZER), **{**SETTINGS, "history": "mask"}).map(Dataset.from_list(plain()))
    trainer, watch = example.trainer_of(data, str(TOKENIZER), **{**arguments, **more}), Watch()
    trainer.add_callback(watch)
    trainer.model.save_pretrained("model")
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], watch.weights, trainer


@pytest.mark.parametrize("padding_free", [False, True])
def test_the_reported_loss_is_that_of_the_labels(padding_free, example, tmp_path):
    reported, weights, trainer = losses(example, padding_free=padding_free)
    rows = made(plain(), history="mask")
    assert trainer.train_dataset.to_list() == rows  # untouched
    meant = [by_hand("model", there, rows[2 * step : 2 * step + 2]) for step, there in enumerate(weights)]
    show(f"trl: Masker.map, padding_free={padding_free}", reported, meant)
    assert reported == pytest.approx(meant, abs=EXACT)


def test_it_would_be_another_loss_if_trl_could_cut_the_rows(example):
    reported, weights, _ = losses(example, max_length=64, dataset_kwargs=None)
    rows = made(plain(), history="mask")
    assert abs(reported[0] - by_hand("model", weights[0], rows[:2])) > OTHER


def test_the_example_runs(example, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["trl_sft.py"])
    example.main()
    assert "losses [" in capsys.readouterr().out
