"""Real trainers take real steps with the settings as they are printed: the loss is the one that was verified."""

from __future__ import annotations

import datasets
import pytest
from steps import EXACT, expected, run, settings, show, started, stored

pytestmark = [pytest.mark.trainers, pytest.mark.long]
BATCHES = [(1, 1), (3, 1), (2, 2)]


@pytest.mark.parametrize(("size", "accumulated"), BATCHES)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["hf", "trl"])
def test_the_reported_loss_is_the_mean_over_trained_tokens(
    name, packed, size, accumulated, rows, tokenizer, model, tmp_path
):
    batch = stored(name, rows[False, packed], tmp_path / "data")
    program = settings(name, tmp_path / "data", tokenizer, model, packed=packed)
    if name == "hf" and packed:
        size, accumulated, sized = 1, size * accumulated, {}
    else:
        sized = {"per_device_train_batch_size": size}
    losses, weights = run(program, gradient_accumulation_steps=accumulated, **sized)
    meant = expected(model, weights, batch, size * accumulated)
    show(f"{name} {'packed' if packed else 'unpacked'} {size} x {accumulated}", losses, meant)
    assert losses == pytest.approx(meant, abs=EXACT)
    assert len({round(loss, 4) for loss in losses}) > 1


@pytest.mark.parametrize("packed", [False, True])
def test_the_reported_loss_with_weights(packed, rows, tokenizer, model, tmp_path):
    batch = stored("hf", rows[True, packed], tmp_path / "data")
    program = settings("hf", tmp_path / "data", tokenizer, model, packed=packed, weighted=True)
    losses, weights = run(program, per_device_train_batch_size=2, gradient_accumulation_steps=2)
    meant = expected(model, weights, batch, 4)
    show(f"hf weighted {'packed' if packed else 'unpacked'} 2 x 2", losses, meant)
    assert losses == pytest.approx(meant, abs=EXACT)


def test_several_packed_rows_a_batch_with_our_collator(rows, tokenizer, model, tmp_path):
    batch = stored("hf", rows[False, True], tmp_path / "data")
    program = (
        settings("hf", tmp_path / "data", tokenizer, model, packed=True)
        .replace("import load_from_disk", "import load_from_disk\nfrom maskprep.collate import PackedCollator")
        .replace("data_collator=default_data_collator", 'data_collator=PackedCollator("positions")')
        .replace("per_device_train_batch_size=1", "per_device_train_batch_size=3, remove_unused_columns=False")
    )
    losses, weights = run(program)
    assert losses == pytest.approx(expected(model, weights, batch, 3), abs=EXACT)


@pytest.mark.parametrize(("name", "weighted"), [("hf", False), ("hf", True), ("trl", False)])
def test_a_validation_set_and_added_tokens_are_provided_for(name, weighted, rows, tokenizer, model, tmp_path):
    for split in ("train", "validation"):
        stored(name, rows[weighted, True], tmp_path / split)
    both = {split: datasets.load_from_disk(tmp_path / split) for split in ("train", "validation")}
    datasets.DatasetDict(both).save_to_disk(tmp_path / "data")
    more = {"divided": True, "vocabulary": 2560, "pad_token": "<|im_end|>"}
    program = settings(name, tmp_path / "data", tokenizer, model, packed=True, weighted=weighted, **more)
    kind = "SFTConfig(" if name == "trl" else "TrainingArguments("
    trainer = started(program.replace(kind, f"{kind}use_cpu=True, bf16=False, disable_tqdm=True, "))
    assert trainer.model.get_input_embeddings().num_embeddings == 2560
    assert trainer.processing_class.pad_token == "<|im_end|>" if name == "trl" else trainer.processing_class is None
    assert trainer.evaluate()["eval_loss"] > 0
