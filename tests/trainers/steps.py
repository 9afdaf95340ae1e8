"""Settings as they are printed, run for a few steps; and the loss of each step by hand, from the same weights."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise

import datasets
import pyarrow as pa
import torch
from transformers import AutoModelForCausalLM, TrainerCallback

from maskprep.dataset.profiles import PROFILES, Handover
from maskprep.labelled import IGNORED

STEPS = 3
EXACT = 1e-5
OTHER = 1e-3
"""What counts as another loss; the trainers' own rounding is a hundredth of what is allowed for the same one."""

_COMMON = {
    "max_steps": STEPS,
    "logging_steps": 1,
    "learning_rate": 1e-2,
    "train_sampling_strategy": "sequential",
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
}


class Watch(TrainerCallback):
    """Keeps the weights that each step begins with."""

    def __init__(self):
        self.weights = []

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        self.weights.append({name: value.detach().clone() for name, value in model.state_dict().items()})


def stored(name, batch, folder):
    """Write what a trainer reads of a batch into the container that it wants, and return the batch."""
    profile = PROFILES[name]
    main, _ = profile.split(batch)
    data = datasets.Dataset(pa.Table.from_batches([main]))
    if profile.container == "dict":
        data = datasets.DatasetDict(train=data)
    data.save_to_disk(folder)
    return batch


def settings(name, folder, tokenizer, model, *, packed=False, weighted=False, **more):
    """Return what the profile prints."""
    return PROFILES[name].settings(Handover(str(folder), tokenizer, 1024, weighted, packed, model=model, **more))


def started(program):
    """Run a program of settings but for its last line, and return its trainer."""
    program, last, _ = program.rpartition("trainer.train()\n")
    assert last
    place = {"__name__": "settings"}
    exec(compile(program, "settings", "exec"), place)
    return place["trainer"]


def run(program, **arguments):
    """Run a program of settings for a few steps. Returns the losses that it reports, and the weights before each."""
    given = "".join(f"{name}={value!r}, " for name, value in {**_COMMON, **arguments}.items())
    for kind in ("TrainingArguments(", "SFTConfig("):
        program = program.replace(f"args={kind}", f"args={kind}{given}")
    trainer, watch = started(program), Watch()
    trainer.add_callback(watch)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == len(watch.weights) == STEPS
    return losses, watch.weights


def documents(row):
    """Return the documents of one of our rows: ids, labels, and weights of 1 where it has none."""
    lengths = row.get("seq_lengths") or [len(row["input_ids"])]
    weights = row.get("loss_weights") or [float(label != IGNORED) for label in row["labels"]]
    for start, end in pairwise(accumulate([0, *lengths])):
        yield row["input_ids"][start:end], row["labels"][start:end], weights[start:end]


@torch.no_grad()
def by_hand(folder, weights, rows):
    """Return the mean loss over the trained tokens of rows: each document alone, unpadded, without any trainer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.load_state_dict(weights)
    total = count = 0.0
    for row in rows:
        for ids, labels, weight in documents(row):
            chances = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
            for place in range(1, len(ids)):
                if labels[place] != IGNORED:
                    total -= float(chances[place - 1, ids[place]]) * weight[place]
                    count += 1
    return total / count


def expected(model, weights, batch, rows_a_step):
    """Return the loss by hand of each step."""
    rows = batch.to_pylist()
    assert len(rows) >= STEPS * rows_a_step
    return [
        by_hand(model, there, rows[step * rows_a_step : (step + 1) * rows_a_step]) for step, there in enumerate(weights)
    ]


def show(what, losses, by_hand_):
    """Print a line of the table."""
    print(json.dumps({"what": what, "reported": losses, "by hand": by_hand_}))
