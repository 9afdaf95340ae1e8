"""Examples as rows of a pack: their columns as arrays, and several of them end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def document_of(sequence: Any) -> dict[str, Any]:
    """Return the columns of an example of one sequence, as arrays."""
    made = {"input_ids": sequence.input_ids, "labels": sequence.labels}
    if sequence.is_tree:
        made |= {"position_ids": sequence.position_ids, "visible_until": sequence.visible_until}
    if sequence.loss_weights is not None:
        made["loss_weights"] = sequence.loss_weights
    return made


def joined(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return documents end to end as a packed row; where one of them is a tree, all have the columns of trees."""
    lengths = np.asarray([len(document["input_ids"]) for document in documents], np.int64)
    names = dict.fromkeys(name for document in documents for name in document)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for document, start in zip(documents, (np.cumsum(lengths) - lengths).tolist(), strict=True):
        size = len(document["input_ids"])
        for name, parts in columns.items():
            match name:
                case "position_ids":
                    parts.append(document.get(name, np.arange(size)))
                case "visible_until":
                    parts.append(document.get(name, np.full(size, size)) + start)
                case "loss_weights":
                    parts.append(document.get(name, np.ones(size, np.float32)))
                case _:
                    parts.append(document[name])
    return {**{name: np.concatenate(parts) for name, parts in columns.items()}, "seq_lengths": lengths}
