"""From the name of a source to blocks of plain bytes: opening, counting, decompressing.

    file or -  ─▶  _Counted  ─▶  gzip │ zstd │ as it is  ─▶  blocks
                   compressed bytes so far

Every step holds a bounded number of bytes, whatever the file claims to expand to.
"""

from __future__ import annotations

import gzip
import io
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from maskprep.errors import BuildError, RowError, UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
"""How standard input is spelled, as a source and in ``Where.file``."""

BLOCK = 1 << 20
"""Bytes read at a time."""

ZSTD_FEED = 1 << 9
"""Compressed bytes given to zstd at a time. A zstd block takes at least 4 bytes and gives at most 128 KiB, so that
a feed gives at most 16 MiB, however hostile; larger feeds gain at most a quarter of the time of decompression."""

Progress = Callable[[int], None]
"""Told how many bytes of the file, compressed as it lies there, have been read so far."""

_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
_SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))  # what pzstd begins a file with


def total_bytes(source: str) -> int | None:
    """Tell how many bytes ``blocks`` will read of a source, or None where that cannot be known (a pipe, ``-``)."""
    if source == STDIN:
        return None
    try:
        facts = Path(source).stat()
    except OSError as error:
        raise _unreadable(source, error) from error
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def blocks(source: str, on_progress: Progress | None = None) -> Iterator[bytes]:
    """Yield the decompressed bytes of a source, in blocks that hold at least one byte.

    Compression is known by the first bytes of the data or else by the extension. Raises UsageError where the source
    cannot be opened, BuildError where reading fails, and RowError ``truncated-file`` where compressed data is damaged
    or ends early, after all that could be decompressed.
    """
    with _opened(source) as file:
        stream: io.BufferedReader = io.BufferedReader(_Counted(file, source, on_progress), BLOCK)
        packing = _packing(source, stream.peek(4)[:4])
        try:
            if packing is not None and not stream.peek(1):
                message = "the file is empty"
                raise EOFError(message)
            if packing == "gzip":
                yield from _gunzip(stream)
            elif packing == "zstd":
                yield from _unzstd(stream)
            else:
                yield from iter(lambda: stream.read(BLOCK), b"")
        except _DAMAGE as error:
            reason = str(error) or type(error).__name__
            raise RowError(
                "truncated-file",
                f"{source}: the {packing} data is damaged or ends early: {reason}",
                "Copy or download the file again: nothing after this place could be read.",
            ) from error


class _Counted(io.RawIOBase):
    """A file that counts the bytes read from it, and names itself when a read fails."""

    def __init__(self, file: BinaryIO, name: str, on_progress: Progress | None) -> None:
        self._file = file
        self._name = name
        self._on_progress = on_progress
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            data = self._file.read(len(view))
        except OSError as error:
            message = f"{self._name}: reading failed after {self._count:,} bytes: {error.strerror or error}"
            raise BuildError(message, "Check the disk or the network share that holds it, then build again.") from error
        view[: len(data)] = data
        self._count += len(data)
        if data and self._on_progress is not None:
            self._on_progress(self._count)
        return len(data)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """Open a source for reading; standard input is left open afterwards."""
    if source == STDIN:
        file: BinaryIO | None = getattr(sys.stdin, "buffer", None)
        if file is None:
            message = "- names standard input, but this process has none"
            raise UsageError(message, "Pipe the conversations in, or name a file.")
        yield file
        return
    try:
        opened = Path(source).open("rb")  # noqa: SIM115  closed below, where no OSError is taken for this one
    except OSError as error:
        raise _unreadable(source, error) from error
    with opened:
        yield opened


def _unreadable(source: str, error: OSError) -> UsageError:
    return UsageError(f"cannot read {source}: {error.strerror or error}", "Check the path and its permissions.")


def _packing(source: str, head: bytes) -> str | None:
    """Tell how the data is compressed: what it says itself counts before what its name says."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head == b"\x28\xb5\x2f\xfd" or head in _SKIPPABLE:
        return "zstd"
    return {".gz": "gzip", ".zst": "zstd"}.get(Path(source).suffix.lower())


def _gunzip(stream: io.BufferedReader) -> Iterator[bytes]:
    """Decompress gzip members; ``read1`` hands out what there is before it meets the damage, ``read`` would lose it."""
    with gzip.GzipFile(fileobj=stream, mode="rb") as members:
        yield from iter(lambda: members.read1(BLOCK), b"")


def _unzstd(stream: io.BufferedReader) -> Iterator[bytes]:
    """Decompress zstd frames. The package's own reader takes a stream that ends in mid-frame for complete."""
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    while chunk := stream.read(ZSTD_FEED):
        while chunk:
            if frame.eof:
                frame = decompressor.decompressobj()
            if data := frame.decompress(chunk):
                yield data
            chunk = frame.unused_data if frame.eof else b""
    if not frame.eof:
        message = "the data ends within a zstd frame"
        raise EOFError(message)
