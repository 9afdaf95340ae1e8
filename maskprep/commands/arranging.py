"""The documents of a build in the order, the packs and the form that were asked for.

    documents ─▶ source order ─▶ shuffle ─▶ pack ─▶ a profile's files
    of each split                seed       length

Nothing here depends on where the documents come from, so that an export writes what a build would have written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.config import Config
from maskprep.errors import UsageError
from maskprep.packing import pack
from maskprep.policy import Strategy
from maskprep.profiles import PROFILES
from maskprep.shards.arrange import Staged, arrange, shuffled
from maskprep.shards.files import Receipt
from maskprep.shards.final import FinalWriter
from maskprep.shards.output import OutputFolder
from maskprep.shards.schema import Layout


def refuse_layout(config: Config, layout: Layout) -> None:
    """Raise ``UsageError`` where the trainer cannot have rows of this layout."""
    reason = PROFILES[config.profile].refuses(layout)
    if reason is not None:
        raise UsageError(reason, "choose another `profile`, or another `packing` (--set packing=null: none)")


def layout_of(waiting: Iterable[Staged], config: Config) -> Layout:
    """Return which columns the rows of all splits are to have."""
    return Layout(any(rows.layout.weighted for rows in waiting), config.packing is not None)


def arrange_all(
    waiting: Mapping[str, Staged], layout: Layout, output: OutputFolder, config: Config, orders: Mapping[str, Ints]
) -> list[Receipt]:
    """Write the documents of every split as ``config`` wants them.

    Args:
        waiting: the documents, by split.
        layout: which columns all of them are to have.
        output: where they go.
        config: order, packing, profile and size of the shards.
        orders: the numbers of the documents of each split in the order of their sources.

    Raises:
        UsageError: the trainer cannot have rows of this layout.
    """
    refuse_layout(config, layout)
    receipts: list[Receipt] = []
    for split, rows in waiting.items():
        if layout.weighted:
            rows.weigh()
        receipts += in_split(_arranged(rows, orders[split], output, split, config), split)
    return receipts


def in_split(receipts: Sequence[Receipt], split: str) -> list[Receipt]:
    """Return what the shards of a split hold, by the names that they have in the whole data set."""
    return [replace(receipt, file=f"{split}/{receipt.file}" if split else receipt.file) for receipt in receipts]


def packing_facts(receipts: Iterable[Receipt], config: Config) -> dict[str, Any]:
    """Return how full the packed rows of some shards are; nothing where rows are not packed."""
    if config.packing is None:
        return {}
    counts = [(each.rows, each.tokens) for each in receipts]
    rows, tokens = sum(rows for rows, _ in counts), sum(tokens for _, tokens in counts)
    slots = rows * config.packing.length
    return {"packing": {"rows": rows, "slots": slots, "fill": tokens / slots if slots else 1.0}}


def _arranged(rows: Staged, order: Ints, output: OutputFolder, split: str, config: Config) -> list[Receipt]:
    if config.shuffle:
        order = order[shuffled(len(order), config.seed)]
    counts = None
    if config.packing is not None:
        chosen = config.packing
        # The best fit begins with the longest documents: another order of the packs, so that training does not.
        seed = config.seed % 2**63 if chosen.strategy == Strategy.BEST_FIT else None
        packs = pack(rows.lengths()[order], chosen.length, chosen.strategy, chosen.window, seed)
        order, counts = order[packs.order], np.diff(packs.offsets)
    writer = FinalWriter(output.shards(split), output.companions(split), output.profile, config.shard_bytes)
    try:
        arrange(rows, order, writer, counts)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise
