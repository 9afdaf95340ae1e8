"""Every setting that is warned of: another loss and no error, or an error; so that the advice is known to matter."""

from __future__ import annotations

import json

import datasets
import pytest
from building import built
from steps import OTHER, expected, run, settings, show, stored

pytestmark = [pytest.mark.trainers, pytest.mark.long]
IMPORTED = "import load_from_disk\n"


def changed(program, *pairs):
    """Return a program in which each first text, which must be there, is the second."""
    for old, new in pairs:
        assert old in program, old
        program = program.replace(old, new)
    return program


def importing(line):
    """Return the change that imports something else."""
    return IMPORTED, f"{IMPORTED}{line}\n"


SEQ2SEQ, DEFAULT = "data_collator=DataCollatorForSeq2Seq(tokenizer)", "data_collator=default_data_collator"
PAD_IS_STOP = ('"MODEL")\n', '"MODEL")\ntokenizer.pad_token = tokenizer.eos_token\n')
BY_VALUE = """import load_from_disk
def by_value(rows):
    batch = DataCollatorForSeq2Seq(tokenizer)(rows)
    batch["labels"][batch["labels"] == tokenizer.pad_token_id] = -100
    return batch
"""
SKIPPED = '        dataset_kwargs={"skip_prepare_dataset": True},  # the rows are ready\n'
UNCUT = "        max_length=None,  # the default, 1024, is there to cut rows\n"
FREE = "        padding_free=True,  # keeps the documents of a row apart\n"

HF = {
    "labels by DataCollatorForLanguageModeling": [
        importing("from transformers import DataCollatorForLanguageModeling"),
        (SEQ2SEQ, "data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False)"),
    ],
    "labels == pad masked, and the pad token is the stop token": [
        PAD_IS_STOP,
        (IMPORTED, BY_VALUE),
        (SEQ2SEQ, "data_collator=by_value"),
    ],
    "label_pad_token_id=0": [(SEQ2SEQ, "data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=0)")],
    "label_smoothing_factor": [('output_dir="checkpoints"', 'output_dir="checkpoints", label_smoothing_factor=0.1')],
}
HF_PACKED = {
    "DataCollatorForSeq2Seq on packed rows": [
        importing("from transformers import DataCollatorForSeq2Seq"),
        (DEFAULT, SEQ2SEQ),
    ],
    "DataCollatorWithPadding on packed rows": [
        importing("from transformers import DataCollatorWithPadding"),
        (DEFAULT, "data_collator=DataCollatorWithPadding(tokenizer)"),
    ],
    "DataCollatorWithFlattening on packed rows": [
        importing("from transformers import DataCollatorWithFlattening"),
        (DEFAULT, "data_collator=DataCollatorWithFlattening()"),
    ],
    "use_cache=True on packed rows": [('output_dir="checkpoints"', 'output_dir="checkpoints", use_cache=True')],
    "packed rows without position_ids": [("train_dataset=data", 'train_dataset=data.remove_columns("position_ids")')],
}
TRL = {
    "loss_type dft": [("packing=False", 'packing=False, loss_type="dft"')],
    "label_smoothing_factor": [("packing=False", "packing=False, label_smoothing_factor=0.1")],
}
TRL_PACKED = {
    "packed rows without padding_free": [(FREE, "")],
    "packed rows packed again": [(FREE, ""), (SKIPPED, ""), (UNCUT, ""), ("packing=False", "packing=True")],
    "packed rows prepared, for they are cut": [(SKIPPED, ""), (UNCUT, "        max_length=512,\n"), (FREE, "")],
}


@pytest.mark.parametrize(
    ("name", "packed", "what"),
    [
        *(("hf", False, what) for what in HF),
        *(("hf", True, what) for what in HF_PACKED),
        *(("trl", False, what) for what in TRL),
        *(("trl", True, what) for what in TRL_PACKED),
    ],
)
def test_a_wrong_setting_gives_another_loss(name, packed, what, rows, tokenizer, model, tmp_path):
    batch = stored(name, rows[False, packed], tmp_path / "data")
    changes = {"hf": (HF, HF_PACKED), "trl": (TRL, TRL_PACKED)}[name][packed][what]
    pairs = [
        (old.replace('"MODEL"', json.dumps(model)), new.replace('"MODEL"', json.dumps(model))) for old, new in changes
    ]
    size = 1 if packed or "LanguageModeling" in what else 2
    program = changed(settings(name, tmp_path / "data", tokenizer, model, packed=packed), *pairs)
    losses, weights = run(program, **({} if name == "hf" and packed else {"per_device_train_batch_size": size}))
    meant = expected(model, weights, batch, size)
    show(f"{name}: {what}", losses, meant)
    assert abs(losses[0] - meant[0]) > OTHER


@pytest.fixture(scope="session")
def long_row(tmp_path_factory):
    """One conversation of more than 1,024 tokens, which ends in its answer."""
    folder = tmp_path_factory.mktemp("long")
    lines = [f"Take cup number {number} from the shelf and wash it." for number in range(120)]
    row = {
        "messages": [
            {"role": "user", "content": "How do I wash up?"},
            {"role": "assistant", "content": " ".join(lines)},
        ]
    }
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    batch = built(folder / "out", folder / "rows.jsonl")
    assert len(batch.column("input_ids")[0]) > 1100
    return batch


def test_the_default_length_of_trl_cuts_rows_that_it_prepares(long_row, tokenizer, model, tmp_path):
    stored("trl", long_row, tmp_path / "data")
    program = settings("trl", tmp_path / "data", tokenizer, model)
    whole, weights = run(program)
    [meant] = expected(model, weights[:1], long_row.take([0, 0, 0]), 1)[:1]
    assert whole[0] == pytest.approx(meant, abs=1e-5)
    assert not list((tmp_path / "data").glob("cache-*"))
    cut, _ = run(changed(program, (SKIPPED, ""), (UNCUT, "")))
    show("trl: default max_length of 1024 on a longer row", cut[:1], [meant])
    assert abs(cut[0] - meant) > OTHER
    assert list((tmp_path / "data").glob("cache-*"))


def test_weights_are_lost_on_trainer_itself(rows, tokenizer, model, tmp_path):
    batch = stored("hf", rows[True, False], tmp_path / "data")
    losses, weights = run(settings("hf", tmp_path / "data", tokenizer, model), per_device_train_batch_size=2)
    meant = expected(model, weights, batch, 2)
    show("hf: Trainer on rows with weights", losses, meant)
    assert abs(losses[0] - meant[0]) > OTHER


@pytest.mark.parametrize(
    ("name", "packed", "changes", "error"),
    [
        ("hf", False, [(f"    {SEQ2SEQ},  # pads labels with -100, by position\n", "")], "convert|expected sequence"),
        (
            "hf",
            False,
            [('output_dir="', 'remove_unused_columns=False, output_dir="')],
            "origin|spans|tensor",
        ),
        ("trl", True, [(UNCUT, "")], "max_length"),
    ],
)
def test_a_wrong_setting_that_is_an_error(name, packed, changes, error, rows, tokenizer, model, tmp_path):
    stored(name, rows[False, packed], tmp_path / "data")
    program = changed(settings(name, tmp_path / "data", tokenizer, model, packed=packed), *changes)
    with pytest.raises(ValueError, match=error):
        run(program, per_device_train_batch_size=2)


def test_what_trainers_read_loads(rows, tmp_path):
    stored("trl", rows[False, True], tmp_path / "arrow")
    assert datasets.load_from_disk(tmp_path / "arrow").column_names == ["input_ids", "labels", "seq_lengths"]
    stored("llamafactory", rows[False, False], tmp_path / "dict")
    assert list(datasets.load_from_disk(tmp_path / "dict")) == ["train"]
