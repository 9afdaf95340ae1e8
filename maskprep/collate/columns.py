"""The columns of rows as tensors, whatever training code hands over: lists, arrays or tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from maskprep.labelled import IGNORED

RowColumns = Mapping[str, Any]
"""A row: ``input_ids``, ``labels`` and, where there are any, ``loss_weights``, one item a token each. Other columns are
ignored but for those that the collator names."""

FILL = {"input_ids": 0, "labels": IGNORED, "attention_mask": 0, "position_ids": 0, "loss_weights": 0.0}
"""The value of each column at places that hold no token; in ``input_ids`` it is the pad token's id."""


def column(row: RowColumns, name: str, number: int) -> torch.Tensor:
    """Return a column of a row, of as many items as it has tokens: int64, or float32 for ``loss_weights``.

    Raises:
        ValueError: the row, which is number ``number`` of its batch, has no such column, or one of another length.
    """
    if row.get(name) is None:
        raise ValueError(f"row {number} of the batch has no {name!r}: it has {', '.join(map(str, row)) or 'nothing'}")
    values = row[name]
    dtype = torch.float32 if name == "loss_weights" else torch.int64
    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.array(values))
    tensor = tensor.to(dtype)
    size = len(row["input_ids"])
    if tensor.shape != (size,):
        raise ValueError(f"row {number} of the batch: {name!r} has the shape {tuple(tensor.shape)} for {size} tokens")
    return tensor


def refuse_tree(row: RowColumns, lengths: Sequence[int], number: int) -> None:
    """Raise an error where some document of a row is a tree: only the mask of ``TreeCollator`` fits that.

    Args:
        row: the row.
        lengths: the tokens of each of its documents.
        number: which row of its batch it is.

    Raises:
        ValueError: there is a tree in the row.
    """
    sizes = torch.tensor(lengths)
    meant = {"visible_until": sizes.cumsum(0).repeat_interleave(sizes)} if row.get("visible_until") is not None else {}
    if row.get("position_ids") is not None:
        meant["position_ids"] = torch.arange(int(sizes.sum())) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    if any(not torch.equal(column(row, name, number), values) for name, values in meant.items()):
        raise ValueError(
            f"row {number} of the batch is a tree, by its visible_until or position_ids: its branches would see each "
            "other; use TreeCollator"
        )


def round_up(number: int, multiple: int) -> int:
    """Return the least multiple of ``multiple`` that is not less than ``number``."""
    return -(-number // multiple) * multiple
