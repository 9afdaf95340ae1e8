"""Writing shards: IPC stream files under a temporary name, hashed as they are written, renamed when all is there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from io import RawIOBase
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskprep.conversation import Where
from maskprep.shards.schema import SCHEMA, ShardRow, to_batch

ROWS_PER_BATCH = 1000
_TOKENS_PER_BATCH = 4_000_000  # bounds the memory that very long rows take while they wait


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a shard holds. ``first`` and ``last`` are the source rows that it begins and ends with."""

    file: str
    rows: int
    tokens: int
    trained_tokens: int
    bytes: int
    sha256: str
    first: Where | None
    last: Where | None


class _HashingFile(RawIOBase):
    """A file that hashes and counts what is written to it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self._file.write(view)
        self.size += len(view)
        return len(view)

    def digest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        if not self.closed:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
                super().close()


class ShardWriter:
    """Writes rows into numbered shards of about ``shard_bytes`` each.

    The shards have their final names only after ``finish``, which alone knows how many there are.
    """

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        """Write into ``folder``, which exists."""
        self._folder, self._shard_bytes = folder, shard_bytes
        self._receipts: list[Receipt] = []
        self._waiting: list[ShardRow] = []
        self._waiting_tokens = 0
        self._file: _HashingFile | None = None
        self._stream: Any = None
        self._rows = self._tokens = self._trained = 0
        self._first: Where | None = None
        self._last: Where | None = None

    def write(self, row: ShardRow) -> None:
        """Add one row."""
        self._first = self._first or row.where
        self._last = row.where
        self._rows += 1
        self._tokens += len(row.labelled.input_ids)
        self._trained += row.labelled.trained_tokens
        self._waiting.append(row)
        self._waiting_tokens += len(row.labelled.input_ids)
        if len(self._waiting) >= ROWS_PER_BATCH or self._waiting_tokens >= _TOKENS_PER_BATCH:
            self._flush()
            if self._file is not None and self._file.size >= self._shard_bytes:
                self._close()

    def finish(self) -> list[Receipt]:
        """Close the last shard, give all of them their names, and return what they hold. At least one is written."""
        if self._waiting or not self._receipts:
            self._flush()
        self._close()
        total = len(self._receipts)
        named = []
        for index, receipt in enumerate(self._receipts):
            name = f"data-{index:05d}-of-{total:05d}.arrow"
            (self._folder / receipt.file).rename(self._folder / name)
            named.append(replace(receipt, file=name))
        return named

    def abandon(self) -> None:
        """Close without finishing, so that the unfinished files can be deleted."""
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        if self._file is None:
            self._file = _HashingFile(self._folder / f"data-{len(self._receipts):05d}.arrow.partial")
            self._stream = pa.ipc.new_stream(self._file, SCHEMA)
        if self._waiting:
            self._stream.write_batch(to_batch(self._waiting))
            self._waiting = []
            self._waiting_tokens = 0

    def _close(self) -> None:
        if self._file is None:
            return
        self._stream.close()
        self._file.close()
        name = f"data-{len(self._receipts):05d}.arrow.partial"
        digest, size = self._file.digest(), self._file.size
        self._receipts.append(
            Receipt(name, self._rows, self._tokens, self._trained, size, digest, self._first, self._last)
        )
        self._file = self._stream = self._first = None
        self._rows = self._tokens = self._trained = 0
