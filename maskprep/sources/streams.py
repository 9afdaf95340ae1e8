"""From the name of a source to blocks of plain bytes: opening, counting, decompressing.

    file or -  ─▶  _Counted  ─▶  gzip │ zstd │ as it is  ─▶  _bounded  ─▶  blocks
                   compressed bytes so far                   no bomb

Every step holds a bounded number of bytes, whatever the file claims to expand to. What is no regular file is not read,
and a file that changes while it is read is an error: neither can give the same rows twice.
"""

from __future__ import annotations

import gzip
import io
import os
import shlex
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from maskprep.errors import BuildError, RowError, UsageError
from maskprep.sources.files import Facts, open_file, reading, state_of, stretch
from maskprep.storage import is_remote

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
"""How standard input is spelled, as a source and in ``Where.file``."""

BLOCK = 1 << 20
"""Bytes read at a time."""

ZSTD_FEED = 1 << 9
"""Compressed bytes given to zstd at a time. A zstd block takes at least 4 bytes and gives at most 128 KiB, so that
a feed gives at most 16 MiB, however hostile; larger feeds gain at most a quarter of the time of decompression."""

FREE = 128 << 20
"""Bytes that compressed data may expand to, however small it is."""

RATIO = 200
"""How many times its size compressed data may expand to beyond ``FREE``. Text that people wrote gives 3 to 10, rows
that repeat each other up to about 100; gzip gives at most 1,032, zstd more than 30,000."""

BytesRead = Callable[[int], None]
"""Called with the number of bytes of the file, compressed as it lies there, that have been read so far."""

_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
_HEAD = 16  # bytes that show whether data is text
_PRINTED = frozenset({*range(0x20, 0x7F), *b"\t\r\n"})
_SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))  # what pzstd begins a file with


def blocks(source: str, on_progress: BytesRead | None = None) -> Generator[bytes]:
    """Yield the decompressed bytes of a source, in blocks that hold at least one byte.

    Compression is known by the first bytes of the data or else by the extension. Raises UsageError where the source
    cannot be opened or is no regular file, BuildError where reading fails or the file changes meanwhile, and RowError
    after all that could be read: ``truncated-file`` where compressed data is damaged or ends early,
    ``compression-bomb`` where it expands to more than anybody wrote.
    """
    with _opened(source) as file:
        before = _facts(source, file)
        counted = _Counted(file, source, on_progress)
        stream: io.BufferedReader = io.BufferedReader(counted, BLOCK)
        packing = _packing(source, stream.peek(4)[:4])
        try:
            if packing is not None and not stream.peek(1):
                message = "the file is empty"
                raise EOFError(message)
            if packing is not None and _is_text(stream.peek(_HEAD)[:_HEAD]):
                raise _unpacked(source, packing)
            if packing == "gzip":
                yield from _bounded(source, _gunzip(stream), counted)
            elif packing == "zstd":
                yield from _bounded(source, _unzstd(stream), counted)
            else:
                yield from iter(lambda: stream.read(BLOCK), b"")
            _check_unchanged(source, file, before)
        except _DAMAGE as error:
            _check_unchanged(source, file, before)
            reason = str(error) or type(error).__name__
            raise RowError(
                "truncated-file",
                f"{source}: the {packing} data is damaged or ends early: {reason}",
                "Copy or download the file again: nothing after this place could be read.",
            ) from error


def _is_text(head: bytes) -> bool:
    """Tell whether data that is said to be compressed begins as text does; gzip and zstd begin otherwise."""
    if head[:1] in {b"{", b"["}:
        return True
    return len(head) == _HEAD and all(byte in _PRINTED for byte in head)


def _unpacked(source: str, packing: str) -> UsageError:
    message = f"{source}: by its name it is {packing} data, but it is plain text"
    suffix = Path(source).suffix
    command = f"{packing} {shlex.quote(source.removesuffix(suffix))}"
    return UsageError(message, f"rename it without {suffix}; to have it compressed, then run: {command}")


def is_plain(source: str) -> bool:
    """Tell whether a file is read as it lies there, and not unpacked. Raises UsageError where it cannot be opened."""
    with open_file(source) as file:
        return _packing(source, file.read(4)) is None


class _Counted(io.RawIOBase):
    """A file that counts the bytes read from it, and names itself when a read fails."""

    def __init__(self, file: BinaryIO | io.RawIOBase, name: str, on_progress: BytesRead | None) -> None:
        self._file = file
        self._name = name
        self._on_progress = on_progress
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        with reading(f"{self._name}: reading failed after {self.count:,} bytes"):
            data = self._file.read(len(view))
        view[: len(data)] = data
        self.count += len(data)
        if data and self._on_progress is not None:
            self._on_progress(self.count)
        return len(data)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO | io.RawIOBase]:
    """Open a source for reading from first to last; standard input is left open afterwards."""
    if source == STDIN:
        file: BinaryIO | None = getattr(sys.stdin, "buffer", None)
        if file is None:
            message = "- names standard input, but this process has none"
            raise UsageError(message, "Pipe the conversations in, or name a file.")
        yield file
        return
    with open_file(source) as opened, stretch(opened, 0, sys.maxsize) as forward:
        yield forward


def _facts(source: str, file: BinaryIO | io.RawIOBase) -> Facts | None:
    """Return what changes when a file is written to; None of standard input."""
    if source == STDIN:
        return None
    if is_remote(source):
        return state_of(source)
    facts = os.fstat(file.fileno())
    return facts.st_size, facts.st_mtime_ns


def _packing(source: str, head: bytes) -> str | None:
    """Tell how the data is compressed: what it says itself counts before what its name says."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head == b"\x28\xb5\x2f\xfd" or head in _SKIPPABLE:
        return "zstd"
    return {".gz": "gzip", ".zst": "zstd"}.get(Path(source).suffix.lower())


def _check_unchanged(source: str, file: BinaryIO | io.RawIOBase, before: Facts | None) -> None:
    if _facts(source, file) != before:
        message = f"{source}: the file was changed while it was read"
        raise BuildError(message, "Let whoever writes it finish, or take a copy, then build again.")


def _bounded(source: str, plain: Iterator[bytes], packed: _Counted) -> Iterator[bytes]:
    """Pass on what compressed data expands to, until it is plain that nobody wrote that."""
    size = 0
    for block in plain:
        size += len(block)
        if size > max(FREE, RATIO * packed.count):
            message = f"{source}: {packed.count:,} compressed bytes expand to more than {size:,}, {RATIO} times as many"
            hint = "Nothing after this place was read. If the rows are what you want, unpack the file first."
            raise RowError("compression-bomb", message, hint)
        yield block


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
            data = frame.decompress(chunk)
            yield from (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
            chunk = frame.unused_data if frame.eof else b""
    if not frame.eof:
        message = "the data ends within a zstd frame"
        raise EOFError(message)
