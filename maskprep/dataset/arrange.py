"""The documents of a build in the order, the packs and the form that were asked for.

    staged documents ─▶ source order ─▶ shuffle ─▶ pack ─▶ a profile's files
    of each split       plan, from      seed       length  gathered in batches
    mapped              figures alone

Four documents of 3, 1, 4 and 2 tokens, with seed 0 and packs of 5 tokens::

    source order   0 1 2 3        their numbers; lengths 3 1 4 2
    shuffled       2 1 0 3        lengths 4 1 3 2
    packed         2 1 │ 0 3      two rows of 5 tokens

Memory holds eight bytes a row and one batch, whatever the shards hold. Nothing here depends on where the documents come
from, so that an export writes what a build would have written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maskprep.arrays import Ints
from maskprep.config import Config
from maskprep.dataset.files import ROWS_PER_BATCH, TOKENS_PER_BATCH, Receipt, staged_name
from maskprep.dataset.final import FinalWriter
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.pack_rows import packed_batch
from maskprep.dataset.packing import pack
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.schema import Layout, with_optional
from maskprep.dataset.stored import StoredShard, read_stream
from maskprep.errors import UsageError
from maskprep.policy import History, Strategy


def shuffled(rows: int, seed: int) -> Ints:
    """Return the numbers from 0 to ``rows`` in an order that the seed decides, the same with every version of numpy."""
    # splitmix64 of the place, sorted: numpy's own generators may change what they give.
    with np.errstate(over="ignore"):
        values = np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        values ^= values >> np.uint64(31)
    return np.argsort(values, kind="stable").astype(np.int64)


class Staged:
    """Documents that wait to be arranged, in shards mapped into memory; numbered across all shards, from 0."""

    def __init__(self, batches: Sequence[Any]) -> None:
        """Take record batches of documents. Where some have weights or log-probabilities, all get them."""
        told = [Layout.told(batch.schema.names) for batch in batches]
        self.layout = Layout(trees=any(each.trees for each in told))
        self._batches: list[Any] = [batch for batch in batches if batch.num_rows]
        self.widen({name for each in told for name in each.optional})
        self._ends = np.cumsum([batch.num_rows for batch in self._batches], dtype=np.int64)

    @classmethod
    def mapped(cls, paths: Sequence[Path]) -> Staged:
        """Map the documents in some files of Arrow streams."""
        return cls([batch for path in paths for batch in read_stream(path)])

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def lengths(self) -> Ints:
        """Return the number of tokens of every row."""
        found = [np.diff(batch.column("input_ids").offsets.to_numpy()) for batch in self._batches]
        return np.concatenate([*found, np.zeros(0, np.int64)]).astype(np.int64)

    def source_order(self, files: Sequence[str]) -> Ints:
        """Return the numbers of the rows in the order in which a build makes them of the sources ``files``.

        Copies of a source row follow each other, each with all of its sequences.
        """
        ranks = {file: rank for rank, file in enumerate(files)}
        parts: list[list[Ints]] = [[np.zeros(0, np.int64)] for _ in range(3)]
        for batch in self._batches:
            origin = batch.column("origin")
            names = origin.field("file").dictionary_encode()
            found = np.asarray([ranks.setdefault(name, len(ranks)) for name in names.dictionary.to_pylist()])
            own = found[names.indices.to_numpy()], *(origin.field(name).to_numpy() for name in ("line", "sequence"))
            for part, values in zip(parts, own, strict=True):
                part.append(values.astype(np.int64))
        file, line, sequence = (np.concatenate(part) for part in parts)
        order = np.lexsort((sequence, line, file))
        keys = np.stack((file, line, sequence))[:, order]
        first = np.concatenate(([True] * bool(len(order)), (np.diff(keys) != 0).any(0))).astype(bool)
        places = np.arange(len(order))
        copies = np.empty_like(places)
        copies[order] = places - np.maximum.accumulate(np.where(first, places, 0))
        return np.lexsort((sequence, copies, line, file))

    def widen(self, optional: Collection[str]) -> None:
        """Give every row these columns, which rows of another split of the data set have (``schema.OPTIONAL``)."""
        held = {*self.layout.optional, *optional}
        self.layout = replace(self.layout, weighted="loss_weights" in held, logprobs="logprobs" in held)
        if held:
            self._batches = [with_optional(batch, held) for batch in self._batches]

    def empty(self, *, packed: bool) -> Any:
        """Return a record batch without rows."""
        return pa.RecordBatch.from_pylist([], schema=replace(self.layout, packed=packed).schema)

    def take(self, numbers: Ints) -> Any:
        """Return the rows ``numbers``, in this order, as one record batch."""
        holders = np.searchsorted(self._ends, numbers, side="right")
        order = np.argsort(holders, kind="stable")
        pieces = []
        for holder in np.unique(holders):
            batch = self._batches[holder]
            own = numbers[order][holders[order] == holder] - (self._ends[holder] - batch.num_rows)
            pieces.append(batch.take(pa.array(own)))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.Table.from_batches(pieces).combine_chunks().to_batches()[0].take(pa.array(back))


def stage(shards: Sequence[StoredShard], folder: Path) -> list[Path]:
    """Write the documents of finished shards into ``folder``, one document a row, and return the files.

    Raises:
        BuildError: a shard cannot be read.
    """
    paths = []
    for number, shard in enumerate(shards):
        path = folder / staged_name(number)
        documents = shard.documents()
        first = next(documents)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, first.schema) as stream:
            for batch in chain([first], documents):
                stream.write_batch(batch)
        paths.append(path)
    return paths


def arrange(staged: Staged, order: Ints, writer: FinalWriter, counts: Ints | None = None) -> None:
    """Write the rows of ``staged`` to ``writer`` in the order given.

    Args:
        staged: the rows.
        order: their numbers (int64), each once, in the order in which they are written.
        writer: takes them.
        counts: how many of them, one after the other, go into each packed row; None for one document a row.
    """
    lengths = staged.lengths()[order]
    if not len(order):
        writer.write(staged.empty(packed=counts is not None))
    elif counts is None:
        for start, stop in _batched(lengths):
            writer.write(staged.take(order[start:stop]))
    else:
        edges = np.concatenate(([0], np.cumsum(counts)))
        for start, stop in _batched(np.add.reduceat(lengths, edges[:-1])):
            documents = staged.take(order[edges[start] : edges[stop]])
            writer.write(packed_batch(documents, counts[start:stop]))


def _batched(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` of the batches of rows of these lengths; none is larger than a shard's batch."""
    start = tokens = 0
    for place, length in enumerate(lengths.tolist(), 1):
        tokens += length
        if place - start >= ROWS_PER_BATCH or tokens >= TOKENS_PER_BATCH:
            yield start, place
            start, tokens = place, 0
    if start < len(lengths):
        yield start, len(lengths)


def refuse_layout(config: Config, layout: Layout) -> None:
    """Raise ``UsageError`` where the trainer cannot have rows of this layout."""
    reason = PROFILES[config.profile].refuses(layout)
    if reason is not None:
        raise UsageError(reason, _NO_TREES if layout.trees else _NO_PACKING)


_NO_TREES = "take --history split (the same tokens, many times over), or mask (fewer of them); or the profile hf"
_NO_PACKING = "choose another `profile`, or another `packing` (--set packing=null: none)"


def layout_of(waiting: Iterable[Staged], config: Config) -> Layout:
    """Return which columns the rows of all splits are to have."""
    held = {name for rows in waiting for name in rows.layout.optional}
    return replace(layout_before(config), weighted="loss_weights" in held, logprobs="logprobs" in held)


def layout_before(config: Config) -> Layout:
    """Return which columns rows are to have, as far as that is known before any row is."""
    return Layout(packed=config.packing is not None, trees=config.history == History.TREE)


def arrange_all(
    waiting: Mapping[str, Staged], layout: Layout, output: OutputFolder, config: Config, orders: Mapping[str, Ints]
) -> list[Receipt]:
    """Write the documents of every split in the order, packs and form of ``config``, and return what the shards hold.

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
        rows.widen(layout.optional)
        receipts += in_split(_arranged(rows, orders[split], output, split, config), split)
    return receipts


def in_split(receipts: Sequence[Receipt], split: str) -> list[Receipt]:
    """Return the receipts of a split's shards under the names that these have in the whole data set."""
    return [replace(receipt, file=f"{split}/{receipt.file}" if split else receipt.file) for receipt in receipts]


def packing_facts(receipts: Iterable[Receipt], config: Config) -> dict[str, Any]:
    """Return how full the packed rows of some shards are, as JSON types; an empty mapping where rows are not packed."""
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
