"""The masks that keep the documents of a pack apart, one for each kind of attention.

document_ids   0 0 0 1 1        a token sees those before it, and itself, in its own document

mask           x . . . .
               x x . . .
               x x x . .
               . . . x .
               . . . x x

For trees (``dataset/trees.py``) two columns say it: token j is seen by q exactly when j <= q < visible_until[j].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

MaskMod = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def document_ids(position_ids: torch.Tensor) -> torch.Tensor:
    """Return which document each token belongs to, from 0 in each row, by the places where positions start again.

    Args:
        position_ids: int64, ``(rows, length)``.

    Returns:
        int64, ``(rows, length)``.
    """
    starts = torch.ones_like(position_ids)
    starts[:, 1:] = (position_ids.diff(dim=-1) != 1).to(position_ids.dtype)
    return starts.cumsum(-1) - 1


def block_mask(documents: torch.Tensor) -> torch.Tensor:
    """Return the mask for ``sdpa``: True where a token sees another.

    Args:
        documents: as ``document_ids`` returns them, ``(rows, length)``.

    Returns:
        bool, ``(rows, 1, length, length)``: query before key.
    """
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same.tril_()


def additive_mask(mask: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return a mask of ``block_mask`` as what ``eager`` attention adds to the scores: 0, or the least of ``dtype``."""
    added = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return added.masked_fill_(~mask, torch.finfo(dtype).min)


def flex_mask_mod(documents: torch.Tensor) -> MaskMod:
    """Return the mask of ``block_mask`` as the function that flex attention's ``create_block_mask`` takes.

    Args:
        documents: as ``document_ids`` returns them, on the device of the model.
    """

    def sees(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        del head  # the same for all
        return (query >= key) & (documents[batch, query] == documents[batch, key])

    return sees


def flex_block_mask(documents: torch.Tensor) -> BlockMask:
    """Return the mask of ``block_mask`` as a ``BlockMask``, ``(rows, 1, length, length)``, on ``documents``' device.

    It holds a function, which no process can hand to another: make it in the process that trains.
    """
    from torch.nn.attention.flex_attention import create_block_mask  # noqa: PLC0415 - seconds to import

    rows, length = documents.shape
    return create_block_mask(flex_mask_mod(documents), rows, None, length, length, device=str(documents.device))


def tree_mask(until: torch.Tensor, positions: torch.Tensor | None = None, window: int | None = None) -> torch.Tensor:
    """Return the mask of trees for ``sdpa``: True where a token sees another.

    Args:
        until: ``visible_until``, counted from the row's first token, ``(rows, length)``.
        positions: the depths of tokens, ``(rows, length)``; for a ``window`` only.
        window: how many tokens of its own branch a token sees, itself among them: in a layer of sliding attention.

    Returns:
        bool, ``(rows, 1, length, length)``: query before key.
    """
    places = torch.arange(until.shape[1], device=until.device)
    mask = (until[:, None, None, :] > places[:, None]).tril_()
    if window is not None and positions is not None:
        mask &= positions[:, None, :, None] - positions[:, None, None, :] < window
    return mask
