"""One document a row, padded to the longest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from maskprep.collate.columns import FILL, RowColumns, column, refuse_tree, round_up


class PaddingCollator:
    """Pads rows to one length, by position: a pad token that is also the stop token stays trained where it is one.

    Args:
        pad_token_id: the id in ``input_ids`` behind (or before) a row.
        side: ``right`` or ``left``.
        multiple_of: the length is rounded up to a multiple of it; that of the longest row there is gives one shape.
        max_length: a longer row is an error. Nothing is ever cut.

    Called with a list of rows, it returns tensors of the shape ``(rows, length)``:

    - ``input_ids``, ``labels`` (-100 at padding), ``attention_mask`` (1 at tokens, 0 at padding) and ``position_ids``
      (from 0 at a row's first token, 0 at padding), int64;
    - ``loss_weights`` (0 at padding), float32, if the rows have it.

    Any other column (``spans``, ``origin``) is left out.

    Raises:
        ValueError: from a call: a row is packed or a tree, is longer than ``max_length``, or lacks a column.
    """

    def __init__(
        self,
        pad_token_id: int,
        side: Literal["right", "left"] = "right",
        *,
        multiple_of: int = 1,
        max_length: int | None = None,
    ) -> None:
        if side not in {"right", "left"}:
            raise ValueError(f"side {side!r}: must be right or left")
        if multiple_of < 1:
            raise ValueError(f"multiple_of {multiple_of}: must be at least 1")
        self.pad_token_id, self.side, self.multiple_of, self.max_length = pad_token_id, side, multiple_of, max_length

    def __call__(self, rows: Sequence[RowColumns]) -> dict[str, torch.Tensor]:
        """Return the batch of some rows, as tensors of the shape ``(rows, length)``."""
        if not rows:
            raise ValueError("a batch needs rows")
        names = ["input_ids", "labels", *(["loss_weights"] if _have(rows, "loss_weights") else [])]
        columns = {name: [column(row, name, number) for number, row in enumerate(rows)] for name in names}
        sizes = [len(ids) for ids in columns["input_ids"]]
        columns["attention_mask"] = (
            [column(row, "attention_mask", number) for number, row in enumerate(rows)]
            if _have(rows, "attention_mask")
            else [torch.ones(size, dtype=torch.int64) for size in sizes]
        )
        columns["position_ids"] = [_positions(row, number) for number, row in enumerate(rows)]
        length = self._length(sizes)
        return {
            name: self._padded(values, length, self.pad_token_id if name == "input_ids" else FILL[name])
            for name, values in columns.items()
        }

    def _length(self, sizes: Sequence[int]) -> int:
        longest = max(sizes)
        if self.max_length is not None and longest > self.max_length:
            number = sizes.index(longest)
            raise ValueError(
                f"row {number} of the batch has {longest:,} tokens, more than max_length {self.max_length:,}: build "
                "the data set with that max_length, since cutting here would train on half an answer"
            )
        return round_up(longest, self.multiple_of)

    def _padded(self, values: Sequence[torch.Tensor], length: int, fill: float) -> torch.Tensor:
        padded = torch.full((len(values), length), fill, dtype=values[0].dtype)
        for row, value in zip(padded, values, strict=True):
            if self.side == "right":
                row[: len(value)] = value
            else:
                row[length - len(value) :] = value
        return padded


def _have(rows: Sequence[RowColumns], name: str) -> bool:
    return any(row.get(name) is not None for row in rows)


def _positions(row: RowColumns, number: int) -> torch.Tensor:
    """Return the position ids of a row, which is refused where it holds several documents."""
    size = len(row["input_ids"])
    plain = torch.arange(size)
    lengths = row.get("seq_lengths")
    several = lengths is not None and len(lengths) > 1
    if row.get("visible_until") is not None:
        refuse_tree(row, [size] if lengths is None else [int(length) for length in lengths], number)
    if several or (row.get("position_ids") is not None and not torch.equal(column(row, "position_ids", number), plain)):
        raise ValueError(
            f"row {number} of the batch is packed: with a padding mask its documents would see each other; use "
            "PackedCollator"
        )
    return plain
