"""Which chunks there are, and which of them are to be done."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Self

from maskprep.build.gather import read_receipt
from maskprep.build.receipt import SURVEY, ledger_name, receipt_name
from maskprep.build.work_folder import WORK, WorkFolder
from maskprep.formats import Reading
from maskprep.progress import Progress
from maskprep.sources import Kind
from maskprep.sources.chunk import Chunk, InputFile
from maskprep.storage.ahead import several

_AHEAD = 16  # chunks; the rows of some are in them


class Listing:
    """The chunks of a build. ``count`` is how many were seen, ``files`` what was understood of each file.

    Args:
        place: where the receipts of those lie that are done.
        progress: counts the chunks that are done, too.
    """

    def __init__(self, place: WorkFolder, progress: Progress) -> None:
        """Look what is done already."""
        self._place, self._progress = place, progress
        self._there = place.names()
        self.count = 0
        self.files: dict[InputFile, tuple[str, Kind, Reading]] = {}

    def waiting(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield the chunks that are not done."""
        for chunk, done in self._asked(chunks):
            self.count += 1
            self.files.setdefault(chunk.file, (chunk.name, chunk.kind, chunk.reading))
            if done:
                self._progress.advance(chunk.size)
            else:
                yield chunk

    def _asked(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, bool]]:
        """Yield the chunks, and of each whether it is done; where some are, receipts are read ahead."""

        def ask(chunk: Chunk) -> tuple[Chunk, bool]:
            return chunk, self._is_done(chunk)

        begun = any(name.startswith(f"{WORK}/chunk-") for name in self._there)
        return several(ask, chunks, _AHEAD) if begun else map(ask, chunks)

    def _is_done(self, chunk: Chunk) -> bool:
        """Tell whether there is a receipt, of these very rows, and all that it tells of is there, too."""
        if receipt_name(chunk.number) not in self._there:
            return False
        receipt = read_receipt(self._place, chunk.number)
        if receipt is None or receipt.checksum != chunk.checksum():
            return False
        shards = [shard for own in receipt.shards.values() for shard in own]
        whole = all(self._there.get(shard.file) == shard.bytes for shard in shards)
        return whole and all(name in self._there for name in receipt.ledgers.values())


def unsurveyed(chunks: Iterator[Chunk], place: WorkFolder, names: list[str]) -> Iterator[Chunk]:
    """Yield the chunks whose digests are not known. ``names`` gets the name of each chunk's file."""
    there = place.names()
    for chunk in chunks:
        names.append(chunk.name)
        if chunk.part is None or ledger_name(chunk.number, SURVEY) not in there:
            yield chunk


class Replay:
    """Chunks to go through twice. A context manager.

    Args:
        chunks: the chunks.
        again: makes them once more.
        once: whether it cannot, as what they are read from is gone then: they are kept in a temporary file.
    """

    def __init__(self, chunks: Iterator[Chunk], again: Callable[[], Iterator[Chunk]], once: bool) -> None:  # noqa: FBT001
        self._chunks, self._again = chunks, again
        self._kept: IO[bytes] | None = tempfile.TemporaryFile() if once else None  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the temporary file."""
        if self._kept is not None:
            self._kept.close()

    def first(self) -> Iterator[Chunk]:
        """Yield the chunks."""
        for chunk in self._chunks:
            if self._kept is not None:
                pickle.dump(chunk, self._kept)
            yield chunk

    def second(self) -> Iterator[Chunk]:
        """Yield them again, all of them having been yielded."""
        if self._kept is None:
            yield from self._again()
            return
        self._kept.seek(0)
        while (chunk := self._next(self._kept)) is not None:
            yield chunk

    @staticmethod
    def _next(kept: IO[bytes]) -> Any:
        try:
            return pickle.load(kept)  # noqa: S301 - written by us, a moment ago
        except EOFError:
            return None
