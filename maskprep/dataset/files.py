"""Writing shards: IPC stream files under a temporary name, hashed as they are written, renamed when all are there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from io import RawIOBase
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskprep.conversation import Where
from maskprep.dataset.schema import OPTIONAL, Layout, ShardRow, to_batch
from maskprep.labelled import IGNORED
from maskprep.storage.atomic import rename

ROWS_PER_BATCH = 1000
TOKENS_PER_BATCH = 4_000_000  # bounds the memory that very long rows take while they wait


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a shard holds. ``first`` and ``last`` are the source rows that it begins and ends with.

    ``file`` is its name, in a data set of several splits behind the name of its split: ``train/data-…``. ``documents``
    are the sequences in it, several a row where they are packed. ``companion`` is the file beside it that holds what
    the trainer cannot carry, by the name that it has in its own folder. ``beside`` are the other files of a shard that
    consists of several.
    """

    file: str
    rows: int
    tokens: int
    trained_tokens: int
    bytes: int
    sha256: str
    first: Where | None
    last: Where | None
    documents: int = 0
    companion: str | None = None
    companion_bytes: int = 0
    companion_sha256: str | None = None
    beside: tuple[Beside, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What another file of a shard holds; ``containers.py`` names it."""

    bytes: int
    sha256: str


class HashingFile(RawIOBase):
    """A file that hashes and counts what is written to it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        """Return True: the file can be written to."""
        return True

    def write(self, data: Any, /) -> int:
        """Write bytes, all of them, and return their number."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self._file.write(view)
        self.size += len(view)
        return len(view)

    def digest(self) -> str:
        """Return the sha256 of the bytes written so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Close the file once its bytes are on the disk."""
        if not self.closed:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
                super().close()


class ShardWriter:
    """Writes rows into numbered shards of about ``shard_bytes`` each, under names that are not yet final.

    Either all rows of a shard have weights or none has, and so with log-probabilities: where a row differs from those
    before, a new shard begins. ``weighted`` tells whether any row has either.
    """

    def __init__(self, folder: Path, shard_bytes: int, *, trees: bool = False) -> None:
        """Write into ``folder``, which exists; ``trees``: rows may be trees, and have the columns of such."""
        self._folder, self._shard_bytes, self._trees = folder, shard_bytes, trees
        self._receipts: list[Receipt] = []
        self._waiting: list[ShardRow] = []
        self._waiting_tokens = 0
        self._file: HashingFile | None = None
        self._stream: Any = None
        self._schema: Any = None
        self._rows = self._tokens = self._trained = 0
        self._first: Where | None = None
        self._last: Where | None = None
        self.weighted = False

    def write(self, row: ShardRow) -> None:
        """Add one row."""
        self._waiting.append(row)
        self._waiting_tokens += len(row.labelled.input_ids)
        if len(self._waiting) >= ROWS_PER_BATCH or self._waiting_tokens >= TOKENS_PER_BATCH:
            self._flush()

    def close(self) -> list[Receipt]:
        """Close the last shard, and return a receipt for each shard, under the name that it has so far."""
        self._flush()
        if not self._receipts and self._file is None:
            self._put(to_batch([], trees=self._trees), None, None)
        self._end()
        return self._receipts

    def abandon(self) -> None:
        """Close the open shard without finishing it, so that its file can be deleted."""
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            rows, self._waiting, self._waiting_tokens = self._waiting, [], 0
            self._put(to_batch(rows, trees=self._trees), rows[0].where, rows[-1].where)

    def _put(self, batch: Any, first: Where | None, last: Where | None) -> None:
        """Write a record batch to the open shard, and close that once it is large enough."""
        if self._file is not None and not self._schema.equals(batch.schema):
            self._end()
        self.weighted |= not set(OPTIONAL).isdisjoint(batch.schema.names)
        if self._file is None:
            self._file, self._schema = HashingFile(self._folder / self._partial()), batch.schema
            self._stream = pa.ipc.new_stream(self._file, batch.schema)
        if batch.num_rows:
            self._stream.write_batch(batch)
        labels = batch.column("labels").flatten().to_numpy()
        self._rows += batch.num_rows
        self._tokens += len(labels)
        self._trained += int((labels != IGNORED).sum())
        self._first, self._last = self._first or first, last
        if self._file.size >= self._shard_bytes:
            self._end()

    def _end(self) -> None:
        if self._file is None:
            return
        self._stream.close()
        self._file.close()
        digest, size = self._file.digest(), self._file.size
        counts = self._rows, self._tokens, self._trained
        self._receipts.append(Receipt(self._partial(), *counts, size, digest, self._first, self._last, self._rows))
        self._file = self._stream = self._first = None
        self._rows = self._tokens = self._trained = 0

    def _partial(self) -> str:
        return staged_name(len(self._receipts))


def staged_name(number: int) -> str:
    """Return the name of a file of rows that wait to be arranged."""
    return f"staged-{number:05d}.arrow.partial"


def write_empty(folder: Path, layout: Layout) -> Receipt:
    """Write the only shard of a split without rows."""
    writer = ShardWriter(folder, 1, trees=layout.trees)
    [receipt] = writer.close()
    name = "data-00000-of-00001.arrow"
    rename({folder / receipt.file: folder / name})
    return replace(receipt, file=name)
