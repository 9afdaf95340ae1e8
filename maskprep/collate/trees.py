"""Trees, and ordinary rows beside them, as batches in which a token sees its own branch alone.

a row            a b c d e b' x y          a b c d e | a b x y  are its sequences
position_ids     0 1 2 3 4 1  2 3
visible_until    8 5 5 5 5 8  8 8          token j is seen by q exactly when j <= q < visible_until[j]
padded to 10     . . . . . . . . 9 10      padding sees itself, and nobody sees it

The mask is made once, for all layers; where a model has layers of sliding attention it gets a mask for each kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from maskprep.arrays import positions as counted
from maskprep.collate.columns import FILL, RowColumns, column, round_up
from maskprep.collate.masks import additive_mask, tree_mask
from maskprep.dataset.profiles.attention import FULL, attention_of, why_no_trees, windows
from maskprep.labelled import IGNORED

TreeAttention = Literal["sdpa", "eager", "flex"]


class TreeCollator:
    """Makes a batch of rows of ``history: tree``: trees, ordinary rows, and packs of both.

    Args:
        config: that of the model as it was loaded (``model.config``), or its ``config.json`` as a mapping. It tells the
            attention, the layers and the dtype. A model that cannot be trained on trees is an error.
        attention: instead of a config, for a model of one's own: ``sdpa`` (bool), ``eager`` (added to the scores, of
            ``dtype``) or ``flex`` (a ``BlockMask``). All layers must see all that the mask lets them see.
        pad_token_id: the id at places that hold no token; any id will do.
        length: the length of rows; without it, that of the longest. A longer row is an error.
        multiple_of: rows are made as long as a multiple of it.
        dtype: the model's, for ``eager``; the config's unless given, or else float32.

    Every batch has ``input_ids``, ``labels`` and ``position_ids`` (int64, ``(rows, length)``), ``loss_weights``
    (float32) if the rows have it, ``use_cache`` (False), and ``attention_mask``, ``(rows, 1, length, length)``: where
    the model has layers of full and of sliding attention, a dict of one for each. A window is counted in depths.

    A ``BlockMask`` that is made here may come from a worker process, and moves to a device with all that it holds.
    Those of ``sdpa`` and ``eager`` take one or more bytes for each pair of tokens: for long rows take flex attention.

    Raises:
        ValueError: the model cannot be trained on trees; from a call: a row is longer than ``length``, lacks a column,
            or is no sound tree.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        config: Any = None,
        *,
        attention: TreeAttention | None = None,
        pad_token_id: int = 0,
        length: int | None = None,
        multiple_of: int = 1,
        dtype: torch.dtype | None = None,
    ) -> None:
        if (config is None) == (attention is None):
            raise ValueError("TreeCollator needs the config of the model, or an attention: one of both")
        if attention not in {None, "sdpa", "eager", "flex"}:
            raise ValueError(f"attention {attention!r}: must be sdpa, eager or flex")
        if multiple_of < 1 or (length is not None and length < 1):
            raise ValueError(f"length {length} and multiple_of {multiple_of} must be at least 1")
        told = {} if config is None else _mapping(config)
        reason = None if config is None else why_no_trees(told)
        if reason is not None:
            raise ValueError(f"no trees for this model: {reason}")
        self.attention = attention or attention_of(told)
        self.windows = {FULL: None} if config is None else windows(told)
        self.pad_token_id, self.length, self.multiple_of = pad_token_id, length, multiple_of
        self.dtype = dtype or _dtype_of(config)

    def __call__(self, rows: Sequence[RowColumns]) -> dict[str, Any]:
        """Return the batch of some rows."""
        if not rows:
            raise ValueError("a batch needs rows")
        names = ["input_ids", "labels"]
        if any(row.get("loss_weights") is not None for row in rows):
            names.append("loss_weights")
        columns = {name: [column(row, name, number) for number, row in enumerate(rows)] for name in names}
        columns["position_ids"], columns["visible_until"] = map(
            list, zip(*[_tree(row, number) for number, row in enumerate(rows)], strict=True)
        )
        length = self._length([len(ids) for ids in columns["input_ids"]])
        batch: dict[str, Any] = {name: self._rows(name, values, length) for name, values in columns.items()}
        _check_labels(batch["labels"], batch["position_ids"])
        # Whatever the data says: what stands before a document is not its prompt.
        batch["labels"].masked_fill_(batch["position_ids"] == 0, IGNORED)
        until = batch.pop("visible_until")
        masks = {kind: self._mask(until, batch["position_ids"], window) for kind, window in self.windows.items()}
        return {**batch, "attention_mask": masks if len(masks) > 1 else masks.popitem()[1], "use_cache": False}

    def _length(self, sizes: Sequence[int]) -> int:
        longest = max(sizes)
        if self.length is not None and longest > self.length:
            where = f"row {sizes.index(longest)} of the batch has {longest:,} tokens"
            raise ValueError(f"{where}, more than the length {self.length:,}: build with that max_length")
        return round_up(max(longest, self.length or 0), self.multiple_of)

    def _rows(self, name: str, values: Sequence[torch.Tensor], length: int) -> torch.Tensor:
        if name == "visible_until":
            rows = torch.arange(1, length + 1).repeat(len(values), 1)
        else:
            fill = self.pad_token_id if name == "input_ids" else FILL[name]
            rows = torch.full((len(values), length), fill, dtype=values[0].dtype)
        for row, value in zip(rows, values, strict=True):
            row[: len(value)] = value
        return rows

    def _mask(self, until: torch.Tensor, positions: torch.Tensor, window: int | None) -> Any:
        match self.attention:
            case "flex":
                from maskprep.collate.flex_trees import tree_block_mask  # noqa: PLC0415 - seconds to import

                return tree_block_mask(until, positions, window)
            case "eager":
                return additive_mask(tree_mask(until, positions, window), self.dtype)
            case _:
                return tree_mask(until, positions, window)


def _tree(row: RowColumns, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``position_ids`` and ``visible_until`` of a row; those of ordinary documents where it has none."""
    size = len(row["input_ids"])
    lengths = torch.tensor([size] if row.get("seq_lengths") is None else [int(one) for one in row["seq_lengths"]])
    if int(lengths.sum()) != size or (lengths < 1).any():
        raise ValueError(f"row {number} of the batch: documents of {lengths.tolist()} tokens do not make its {size}")
    ends = lengths.cumsum(0).repeat_interleave(lengths)
    if row.get("visible_until") is not None:
        positions, until = column(row, "position_ids", number), column(row, "visible_until", number)
        if (positions < 0).any() or (until <= torch.arange(size)).any() or (until > ends).any():
            raise ValueError(f"row {number} of the batch: visible_until or position_ids are not those of trees")
        return positions, until
    positions = torch.from_numpy(counted(lengths.numpy())).long()
    if row.get("position_ids") is not None and not torch.equal(column(row, "position_ids", number), positions):
        raise ValueError(
            f"row {number} of the batch has position_ids of trees, or of several documents, and neither visible_until "
            "nor seq_lengths: which token sees which?"
        )
    return positions, ends


def _check_labels(labels: torch.Tensor, positions: torch.Tensor) -> None:
    """Refuse a tree in which a token is trained that stands behind another one than its own predecessor."""
    astray = (positions.diff(dim=1) != 1) & (positions[:, 1:] > 0)
    wrong = (astray & (labels[:, 1:] != IGNORED)).nonzero()
    if len(wrong):
        row, place = wrong[0].tolist()
        raise ValueError(f"row {row} of the batch: token {place + 1:,}, which opens a branch, is trained")


def _mapping(config: Any) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        return config
    implementation = config.get_text_config()._attn_implementation  # noqa: SLF001 - it has no other name
    return {**config.to_dict(), "_attn_implementation": implementation}


def _dtype_of(config: Any) -> torch.dtype:
    found = config.get("dtype") if isinstance(config, Mapping) else getattr(config, "dtype", None)
    found = getattr(torch, found, None) if isinstance(found, str) else found
    return found if isinstance(found, torch.dtype) else torch.float32
