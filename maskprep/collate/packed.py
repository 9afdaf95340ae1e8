"""Packed rows, or documents to be packed, as batches in which no document sees another.

rows           [a a a b b] [c c]
varlen         a a a b b c c                     one row; cu_seq_lens 0 3 5 7 tell flash attention where documents end
else           a a a b b                         rows of one length; what is left over is a document of its own,
               c c - - -                         which nobody sees and nobody trains
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal

import torch

from maskprep.collate.columns import FILL, RowColumns, column, refuse_tree, round_up
from maskprep.collate.masks import additive_mask, block_mask, document_ids, flex_block_mask

Attention = Literal["varlen", "positions", "sdpa", "eager", "flex"]


class PackedCollator:
    """Makes a batch of packed rows (with ``seq_lengths``), or of single documents (without).

    Args:
        attention: how documents are kept apart:

            - ``varlen``: all in one row, ``(1, tokens)``, with ``cu_seq_lens_q`` and ``cu_seq_lens_k`` (int32,
              ``(documents + 1,)``) and ``max_length_q`` and ``max_length_k`` (int), as transformers hands them on to
              variable-length flash attention;
            - ``positions``: ``(rows, length)`` and ``position_ids`` that start again at 0 in each document, from which
              transformers makes the mask itself, for any of its attentions;
            - ``sdpa``, ``eager``, ``flex``: as ``positions``, and an ``attention_mask``, ``(rows, 1, length, length)``:
              bool, added (``dtype``), or a ``BlockMask``. Masks are large, and a ``BlockMask`` cannot leave a worker
              process: where rows are long, take ``positions``, or make the mask where it is used
              (``maskprep.collate.block_mask``).
        pad_token_id: the id at places that hold no token; any id will do.
        length: the length of rows; without it, that of the longest. A longer row is an error. Not for ``varlen``.
        multiple_of: rows, or the one row of ``varlen``, are made as long as a multiple of it.
        dtype: the model's, for ``eager``.

    Every batch has ``input_ids``, ``labels`` and ``position_ids`` (int64), ``loss_weights`` (float32) if the rows have
    it, and ``use_cache`` (False): a transformers model that keeps a cache does not look for documents, and lets them
    see each other. Add no padding mask, for the same reason. The first label of each document is -100.

    Raises:
        ValueError: from a call: a row is longer than ``length``, lacks a column, is a tree, or does not consist of its
            documents.
    """

    def __init__(
        self,
        attention: Attention = "varlen",
        *,
        pad_token_id: int = 0,
        length: int | None = None,
        multiple_of: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if attention not in {"varlen", "positions", "sdpa", "eager", "flex"}:
            raise ValueError(f"attention {attention!r}: must be varlen, positions, sdpa, eager or flex")
        if multiple_of < 1 or (length is not None and length < 1):
            raise ValueError(f"length {length} and multiple_of {multiple_of} must be at least 1")
        if attention == "varlen" and length is not None:
            raise ValueError("varlen puts all rows into one: it has no length")
        self.attention, self.pad_token_id, self.length = attention, pad_token_id, length
        self.multiple_of, self.dtype = multiple_of, dtype

    def __call__(self, rows: Sequence[RowColumns]) -> dict[str, Any]:
        """Return the batch of some rows, with the columns that ``attention`` needs."""
        if not rows:
            raise ValueError("a batch needs rows")
        lengths = [_lengths(row, number) for number, row in enumerate(rows)]
        names = ["input_ids", "labels"]
        if any(row.get("loss_weights") is not None for row in rows):
            names.append("loss_weights")
        columns = {name: [column(row, name, number) for number, row in enumerate(rows)] for name in names}
        if self.attention == "varlen":
            columns = {name: [torch.cat(values)] for name, values in columns.items()}
            lengths = [[length for of_row in lengths for length in of_row]]
        length = self._length([len(ids) for ids in columns["input_ids"]])
        for of_row in lengths:
            left_over = length - sum(of_row)
            of_row.extend([left_over] if left_over else [])
        batch: dict[str, Any] = {name: self._rows(name, values, length) for name, values in columns.items()}
        batch["position_ids"] = torch.stack([torch.cat([torch.arange(one) for one in of_row]) for of_row in lengths])
        # Whatever the data says: what stands before a document is not its prompt.
        batch["labels"].masked_fill_(batch["position_ids"] == 0, FILL["labels"])
        return {**batch, **self._apart(lengths, batch["position_ids"]), "use_cache": False}

    def _length(self, sizes: Sequence[int]) -> int:
        longest = max(sizes)
        if self.length is not None and longest > self.length:
            msg = (
                f"row {sizes.index(longest)} of the batch has {longest:,} tokens, more than the length {self.length:,}"
            )
            raise ValueError(f"{msg}: pack to that length")
        return round_up(max(longest, self.length or 0), self.multiple_of)

    def _rows(self, name: str, values: Sequence[torch.Tensor], length: int) -> torch.Tensor:
        fill = self.pad_token_id if name == "input_ids" else FILL[name]
        rows = torch.full((len(values), length), fill, dtype=values[0].dtype)
        for row, value in zip(rows, values, strict=True):
            row[: len(value)] = value
        return rows

    def _apart(self, lengths: Sequence[Sequence[int]], position_ids: torch.Tensor) -> dict[str, Any]:
        """Return the columns that tell the attention where documents begin and end."""
        match self.attention:
            case "varlen":
                ends = torch.tensor([0, *accumulate(lengths[0])], dtype=torch.int32)
                longest = max(lengths[0])
                return {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": longest, "max_length_k": longest}
            case "positions":
                return {}
            case "sdpa":
                return {"attention_mask": block_mask(document_ids(position_ids))}
            case "eager":
                return {"attention_mask": additive_mask(block_mask(document_ids(position_ids)), self.dtype)}
            case "flex":
                return {"attention_mask": flex_block_mask(document_ids(position_ids))}


def _lengths(row: RowColumns, number: int) -> list[int]:
    """Return the lengths of a row's documents."""
    tokens = len(row["input_ids"])
    if row.get("seq_lengths") is None:
        if row.get("position_ids") is not None and row.get("visible_until") is None:
            raise ValueError(f"row {number} of the batch has position_ids but no seq_lengths: which are its documents?")
        lengths = [tokens]
    else:
        lengths = [int(length) for length in row["seq_lengths"]]
    if sum(lengths) != tokens or min(lengths, default=0) < 1:
        raise ValueError(f"row {number} of the batch: documents of {lengths} tokens do not make its {tokens}")
    refuse_tree(row, lengths, number)
    return lengths
