"""The mask of trees for flex attention, block by block: no square of the length is ever made.

visible_until   8 5 5 5 5 8 8 8          blocks of 2 tokens, query by key

    x . . . . . . .
    x x . . . . . .                      p . . .      p  a part of it is seen: token by token
    x x x . . . . .                      f p . .      f  all of it is seen: not looked at again
    x x x x . . . .                      p p p .      .  nothing is seen: left out
    x x x x x . . .          =           p . p p
    x . . . . x . .
    x . . . . x x .
    x . . . . x x x

A block of keys is seen from the first token of a later block of queries if the last end of its keys lies behind that,
and in full if the first one lies behind the last query. Importing this takes seconds, which flex attention needs.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask

BLOCK = 128
"""Tokens a block; the kernels want a multiple of it."""


class TreeBlockMask(BlockMask):
    """A ``BlockMask`` of trees, which can be handed to another process, and moves to a device with all that it holds.

    A plain one leaves the tensors that its function reads where they are.
    """

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> TreeBlockMask:
        """Return the mask on another device."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TreeBlockMask:
        """Return the mask in memory from which a device reads fast; a ``DataLoader`` asks for it."""
        return self._with(torch.Tensor.pin_memory)

    def clone(self) -> TreeBlockMask:
        """Return the mask in memory of its own."""
        return self._with(torch.Tensor.clone)

    def _with(self, change: Callable[[torch.Tensor], torch.Tensor]) -> TreeBlockMask:
        made = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(made, name, change(value))
        sees: Any = self.mask_mod
        made.mask_mod = partial(sees.func, *map(change, sees.args))
        return made


def tree_block_mask(
    until: torch.Tensor, positions: torch.Tensor | None = None, window: int | None = None
) -> TreeBlockMask:
    """Return the mask of ``tree_mask``, which has the same arguments, as a ``BlockMask`` on their device."""
    ends = _blocks(until)
    count = ends.shape[1]
    own = torch.eye(count, dtype=torch.bool, device=until.device)
    before = torch.ones_like(own).tril(-1)
    first = torch.arange(count, device=until.device)[:, None] * BLOCK
    some = before & (ends.amax(-1)[:, None, :] > first)
    full = before & (ends.amin(-1)[:, None, :] >= first + BLOCK)
    sees = partial(_sees, until)
    if positions is not None and window is not None:
        depths = _blocks(positions)
        low, high = depths.amin(-1), depths.amax(-1)
        some &= low[:, :, None] - high[:, None, :] < window
        full &= high[:, :, None] - low[:, None, :] < window
        sees = partial(_sees_in_window, until, positions, torch.tensor(window, device=until.device))
    return TreeBlockMask.from_kv_blocks(
        *_ordered((some & ~full) | own),
        *_ordered(full & some),
        BLOCK_SIZE=BLOCK,
        mask_mod=sees,
        seq_lengths=(until.shape[1], until.shape[1]),
    )


def _blocks(column: torch.Tensor) -> torch.Tensor:
    """Return a column ``(rows, length)`` as ``(rows, blocks, BLOCK)``; what fills up the last is its own last item."""
    rows, length = column.shape
    missing = -length % BLOCK
    return torch.cat([column, column[:, -1:].expand(rows, missing)], 1).view(rows, -1, BLOCK)


def _ordered(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how many blocks of keys each block of queries has, ``(rows, 1, blocks)``, and which, those first."""
    numbers = blocks.to(torch.int32)
    order = numbers.argsort(dim=-1, descending=True, stable=True)
    return numbers.sum(-1, dtype=torch.int32)[:, None], order.to(torch.int32)[:, None]


def _sees(
    until: torch.Tensor, batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor:
    del head  # the same for all
    return (query >= key) & (query < until[batch, key])


def _sees_in_window(  # noqa: PLR0913, PLR0917 - the last four are those of every such function
    until: torch.Tensor,
    positions: torch.Tensor,
    window: torch.Tensor,
    batch: torch.Tensor,
    head: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
) -> torch.Tensor:
    return _sees(until, batch, head, query, key) & (positions[batch, query] - positions[batch, key] < window)
