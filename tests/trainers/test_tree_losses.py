"""The printed settings for trees, run: loss, gradients and curve are those of the sequences that ``split`` makes."""

from __future__ import annotations

import datasets
import dropping
import numpy as np
import pytest
import torch
from datasets import load_from_disk
from exact import throughout
from grown_rows import unrolled
from steps import OTHER, started
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from maskprep.dataset.profiles import PROFILES, Handover
from maskprep.labelled import IGNORED

pytestmark = [pytest.mark.trainers, pytest.mark.long]
COUNT = 8
KINDS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}
LAYOUTS = {"split": [], "tree": [], "packed": ["--set", "packing.length=400"]}
FLOATS = {"float32": 1e-5, "float64": 1e-9}
STILL = {
    "optim": "sgd",
    "learning_rate": 0.1,
    "lr_scheduler_type": "constant",
    "max_grad_norm": 0,
    "train_sampling_strategy": "sequential",
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The folders of the same conversations, by layout."""
    place = tmp_path_factory.mktemp("trees")
    return {
        layout: dropping.build(place / layout, "split" if layout == "split" else "tree", COUNT, *more)
        for layout, more in LAYOUTS.items()
    }


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folders of tiny models of random weights, by kind."""
    found = {}
    for name, (config, kind) in KINDS.items():
        torch.manual_seed(7)
        shape = {"vocab_size": 2500, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024}
        none = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
        found[name] = tmp_path_factory.mktemp(name)
        made = kind(config(**shape, **heads, **none, initializer_range=0.3, tie_word_embeddings=False))
        made.save_pretrained(found[name])
    return found


def trainer_of(folder, model, attention="sdpa", dtype="float32", *, trees=True, weighted=False, **arguments):
    """Return the trainer of the program that is printed, and the list that its losses go to, in full precision."""
    handed = Handover(str(folder), f"{folder}/tokenizer", 1024, weighted, trees=trees, model=str(model))
    program = PROFILES["hf"].settings(handed)
    given = "".join(f"{name}={value!r}, " for name, value in {**STILL, **arguments}.items())
    program = program.replace("args=TrainingArguments(", f"args=TrainingArguments({given}")
    loading = f'from_pretrained("{model}"'
    assert loading in program
    trainer = started(program.replace(loading, f'{loading}, attn_implementation="{attention}", dtype="{dtype}"'))
    losses, inner = [], trainer.compute_loss

    def noting(*given, **more):
        found = inner(*given, **more)
        losses.append((found[0] if isinstance(found, tuple) else found).item())
        return found

    trainer.compute_loss = noting
    return trainer, losses


def trained(folder):
    return sum(label != IGNORED for labels in load_from_disk(str(folder))["labels"] for label in labels)


def after_one_step(folder, model, *given, **arguments):
    """Return the summed loss of all rows, and by how much one step of plain descent moved each weight."""
    size = len(load_from_disk(str(folder)))
    sizes = {"per_device_train_batch_size": -(-size // 2), "gradient_accumulation_steps": 2}
    trainer, losses = trainer_of(folder, model, *given, max_steps=1, **sizes, **arguments)
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
    with throughout(trainer.model.dtype):
        trainer.train()
    moved = {name: before[name] - value.detach() for name, value in trainer.model.named_parameters()}
    return sum(losses) * trained(folder), moved


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", KINDS)
def test_the_loss_and_the_gradients_of_trees(name, attention, dtype, checkpointing, folders, models):
    more = {"gradient_checkpointing": checkpointing}
    expected, moved = after_one_step(folders["split"], models[name], "sdpa", dtype, trees=False, **more)
    found = {"split": expected}
    for layout in ("tree", "packed"):
        loss, other = after_one_step(folders[layout], models[name], attention, dtype, **more)
        found[layout] = loss
        for weight, step in moved.items():
            worst = float((other[weight] - step).abs().max())
            assert worst < FLOATS[dtype] * 0.1 * max(1, float(step.abs().max())), weight
    print(f"\n{name} {attention} {dtype} checkpointing={checkpointing}: {found}")
    assert list(found.values()) == pytest.approx([expected] * 3, rel=FLOATS[dtype])
    assert trained(folders["split"]) == trained(folders["tree"]) == trained(folders["packed"])


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_of_trees_with_flex_attention(name, folders, models):
    """Flex attention has no gradient on the CPU, and no float64 there: the trainer evaluates."""
    found = {}
    for layout, folder in folders.items():
        torch._dynamo.reset()
        attention = "sdpa" if layout == "split" else "flex_attention"
        sizes = {"per_device_eval_batch_size": len(load_from_disk(str(folder)))}
        trainer, losses = trainer_of(folder, models[name], attention, trees=layout != "split", **sizes)
        trainer.evaluate(trainer.train_dataset)
        [loss] = losses
        found[layout] = loss * trained(folder)
    print(f"\n{name} flex float32: {found}")
    assert list(found.values()) == pytest.approx([found["split"]] * 3, rel=1e-5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KINDS)
def test_flex_attention_as_it_is_defined(name, dtype, folders, models, monkeypatch):
    """What the kernels are tested against has gradients and float64 on the CPU, too, once it is not refused there."""
    from torch.nn.attention import flex_attention as flex
    from transformers.integrations import flex_attention as theirs

    monkeypatch.setattr(flex, "_validate_device", lambda *_: None)
    monkeypatch.setattr(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    monkeypatch.setattr(theirs.WrappedFlexAttention, "__call__", lambda _: flex.flex_attention)
    expected, moved = after_one_step(folders["split"], models[name], "sdpa", dtype, trees=False)
    found = {"split": expected}
    for layout in ("tree", "packed"):
        found[layout], other = after_one_step(folders[layout], models[name], "flex_attention", dtype)
        for weight, step in moved.items():
            worst = float((other[weight] - step).abs().max())
            assert worst < FLOATS[dtype] * 0.1 * max(1, float(step.abs().max())), weight
    print(f"\n{name} flex as defined {dtype}: {found}")
    assert list(found.values()) == pytest.approx([expected] * 3, rel=FLOATS[dtype])


@pytest.mark.parametrize("optim", ["sgd", "adamw_torch"])
def test_three_epochs_have_the_same_curve(optim, models, tmp_path):
    """One conversation is a tree, or as many rows of ``split`` as it has turns: so a step has the same tokens."""
    curves, steps, each = {}, 20, 2
    for history, rows in (("split", dropping.TURNS * each), ("tree", each)):
        folder = dropping.build(tmp_path / history, history, steps * each)
        assert len(load_from_disk(str(folder))) == steps * rows
        more = {"optim": optim, "learning_rate": 0.02 if optim == "sgd" else 1e-3, "num_train_epochs": 3}
        sizes = {"per_device_train_batch_size": rows}
        trees = history == "tree"
        trainer, curves[history] = trainer_of(folder, models["llama"], "sdpa", "float64", trees=trees, **more, **sizes)
        with throughout(torch.float64):
            trainer.train()
    assert len(curves["tree"]) == 3 * steps
    print(f"\n{optim}: {curves['tree'][:2]} … {curves['tree'][-1]}")
    print("differs by", max(abs(a - b) for a, b in zip(*curves.values(), strict=True)))
    assert curves["tree"] == pytest.approx(curves["split"], rel=1e-9)
    assert curves["tree"][-1] < curves["tree"][0] - 0.5


def test_the_reported_loss_with_weights(folders, models, tmp_path):
    data = load_from_disk(str(folders["tree"]))
    weights = [np.resize([1, 0.5, 3], len(ids)).tolist() for ids in data["input_ids"]]
    data.add_column("loss_weights", weights).save_to_disk(str(tmp_path / "tree"))
    rows = [row for one in load_from_disk(str(tmp_path / "tree")) for row in unrolled(one)]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "split"))
    (tmp_path / "tree" / "tokenizer").symlink_to(folders["tree"] / "tokenizer")
    (tmp_path / "split" / "tokenizer").symlink_to(folders["tree"] / "tokenizer")
    found = {
        layout: after_one_step(tmp_path / layout, models["llama"], trees=layout == "tree", weighted=True)[0]
        for layout in ("split", "tree")
    }
    assert found["tree"] == pytest.approx(found["split"], rel=1e-5)


def single(name, folders, models, change):
    """Return the loss of the first tree as the program has it, and after a change to it."""
    losses = []
    for changed in (False, True):
        trainer, kept = trainer_of(folders["tree"], models[name], max_steps=1, per_device_train_batch_size=1)
        if changed:
            change(trainer)
        trainer.train()
        losses += kept
    return losses


def by_default(trainer):
    from transformers import default_data_collator

    trainer.data_collator = lambda rows: default_data_collator(
        [{name: row[name] for name in ("input_ids", "labels", "position_ids")} for row in rows]
    )


def padded(trainer):
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq

    collate = DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(f"{trainer.where}/tokenizer"))
    trainer.data_collator = lambda rows: collate(
        [{name: row[name] for name in ("input_ids", "labels", "position_ids")} for row in rows]
    )


def other_attention(trainer):
    trainer.model.set_attn_implementation("eager")


@pytest.mark.parametrize("change", [by_default, padded, other_attention])
def test_what_is_warned_of_gives_another_loss(change, folders, models):
    def changed(trainer):
        trainer.where = folders["tree"]
        change(trainer)

    right, wrong = single("llama", folders, models, changed)
    print(f"\n{change.__name__}: {right} {wrong}")
    assert abs(right - wrong) > OTHER


def test_dropped_columns_are_an_error(folders, models):
    trainer, _ = trainer_of(folders["tree"], models["llama"], max_steps=1)
    trainer.args.remove_unused_columns = True
    with pytest.raises(ValueError, match="which token sees which"):
        trainer.train()
