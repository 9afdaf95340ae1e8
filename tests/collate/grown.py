"""Small trees of random tokens, their sequences, and the tiny models that both go through."""

from __future__ import annotations

import numpy as np
import torch

from maskprep.dataset.trees import leaves, visible_until
from maskprep.labelled import IGNORED

VOCABULARY = 90
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
LAYERS = ["sliding_attention", "full_attention"] * 2
TREE = {
    "input_ids": [1, 2, 3, 4, 5, 2, 6, 7],
    "labels": [-100, -100, -100, -100, 5, -100, 6, 7],
    "position_ids": [0, 1, 2, 3, 4, 1, 2, 3],
    "visible_until": [8, 5, 5, 5, 5, 8, 8, 8],
}
"""That of the drawing in ``dataset/trees.py``."""


def make_tree(*branches, seed=0):
    """Return a row. A branch is ``(depth, size)``: how deep its first token is, and how many there are.

    A first token that is not a document's own is a copy of what is so deep on the path before it.
    """
    ids, positions, until = [], [], []
    generator = np.random.default_rng(seed)
    for depth, size in branches:
        new = generator.integers(0, VOCABULARY, size).tolist()
        if depth:
            path = {positions[place]: place for place in range(len(ids)) if positions[place] <= depth}
            new[0] = ids[path[depth]]
        ids += new
        positions += range(depth, depth + size)
    until = visible_until(np.asarray(positions))
    trained = generator.random(len(ids)) < 0.6
    trained &= np.diff(positions, prepend=-9) == 1
    labels = np.where(trained, ids, IGNORED)
    columns = {"input_ids": ids, "labels": labels, "position_ids": positions, "visible_until": until}
    return {name: np.asarray(values).tolist() for name, values in columns.items()}


def plain(row):
    """Return an ordinary row: the first sequence of a tree."""
    return sequences(row)[0]


def sequences(row):
    """Return the sequences of a row: one for each branch, in which what an earlier one trains is not trained."""
    if "visible_until" not in row:
        return [row]
    seen, found = set(), []
    for path in leaves(np.asarray(row["position_ids"])):
        ids = [row["input_ids"][place] for place in path]
        labels = [IGNORED if place in seen else row["labels"][place] for place in path]
        weights = {"loss_weights": [row["loss_weights"][place] for place in path]} if "loss_weights" in row else {}
        found.append({"input_ids": ids, "labels": labels, **weights})
        seen.update(path.tolist())
    return found


def packed(*rows):
    """Return rows behind each other, as a build packs them."""
    found = {name: [] for name in ("input_ids", "labels", "position_ids", "visible_until", "seq_lengths")}
    for row in rows:
        start, size = len(found["input_ids"]), len(row["input_ids"])
        found["input_ids"] += row["input_ids"]
        found["labels"] += row["labels"]
        found["position_ids"] += row.get("position_ids", range(size))
        found["visible_until"] += [start + until for until in row.get("visible_until", [size] * size)]
        found["seq_lengths"].append(size)
    return found


TREES = [
    make_tree((0, 23), (7, 20), (19, 9), (3, 6), seed=1),
    make_tree((0, 12), (11, 8), seed=2),
    make_tree((0, 9), (2, 5), (2, 5), (5, 7), seed=3),
]


def summed(model, batch):
    """Return the summed loss of a batch."""
    labels = batch["labels"]
    logits = model(**{name: value for name, value in batch.items() if name not in {"labels", "loss_weights"}}).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="sum"
    )


def one_by_one(model, rows):
    """Return the summed loss of the sequences of rows, each alone."""
    batches = [
        {name: torch.tensor([one[name]]) for name in ("input_ids", "labels")} for r in rows for one in sequences(r)
    ]
    return sum(summed(model, {**batch, "use_cache": False}) for batch in batches)
