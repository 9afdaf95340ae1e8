"""Where the batches of Arrow data stand and how many rows each has, told by their headers alone.

A stream is messages one after the other, a file is such a stream with a footer that tells where its batches are:

    ff ff ff ff | length of the header | header: kind, rows, length of the body | body

Headers are flatbuffers, of which two or three numbers are wanted here. pyarrow gives them only together with the
bodies, and whoever plans how to share out a large file does not want to read it first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_CONTINUED = b"\xff\xff\xff\xff"  # before the length; streams of before 2019 lack it
_MOST = 64 << 20  # bytes of a header; one of a thousand columns has about 50,000
_GUESS = 4096  # bytes that hold most headers: one read, which may be a request to an object store
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_BLOCK = struct.Struct("<qi4xq")  # of a footer: offset, length of the header, length of the body


@dataclass(frozen=True, slots=True)
class IpcMessage:
    """One message: bytes ``start:end`` of the file; ``rows`` are 0 unless it is a batch of rows."""

    is_batch: bool
    start: int
    end: int
    rows: int


def messages(file: Any, start: int, end: int) -> Iterator[IpcMessage]:
    """Yield what a stream holds from byte ``start`` on, where a message must begin, up to ``end``, its schema left out.

    Raises ValueError where that is damaged or cut off.
    """
    while start < end:
        header, body = _header(file, start, end)
        if header is None:
            return
        kind = header.number(1, "<B")
        length = header.number(3, "<q")
        if kind not in {_SCHEMA, _DICTIONARY, _BATCH} or not 0 <= length <= end - body:
            message = f"the batch at byte {start:,} is damaged or cut off"
            raise ValueError(message)
        if kind != _SCHEMA:
            yield IpcMessage(kind == _BATCH, start, body + length, _rows(header) if kind == _BATCH else 0)
        start = body + length


def is_foreign(file: Any, size: int) -> bool:
    """Tell whether the numbers of a stream are big-endian. Raises ValueError where it is damaged."""
    header, _ = _header(file, 0, size)
    schema = header.table(2) if header else None
    return schema is not None and schema.number(0, "<h") != 0


def blocks(file: Any, size: int) -> list[int]:
    """Return where each batch of an Arrow file begins (bytes). Raises ValueError where it is damaged."""
    (length,) = struct.unpack("<i", _read(file, size - 10, size - 6))
    if not 0 < length < min(_MOST, size):
        message = "its footer is damaged"
        raise ValueError(message)
    footer = _Fields(_read(file, size - 10 - length, size - 10))
    return [_BLOCK.unpack_from(footer.data, at)[0] for at in footer.items(3, _BLOCK.size)]


def rows_at(file: Any, start: int, size: int) -> int:
    """Return how many rows the batch at byte ``start`` has. Raises ValueError where it is damaged."""
    header, _ = _header(file, start, size)
    if header is None:
        message = f"there is no batch at byte {start:,}"
        raise ValueError(message)
    return _rows(header)


def _header(file: Any, start: int, end: int) -> tuple[_Fields | None, int]:
    """Return the header of the message at ``start``, None where the stream ends there, and where its body begins."""
    data = _read(file, start, min(start + _GUESS, end))
    prefix = 8 if data.startswith(_CONTINUED) else 4
    if len(data) < prefix:
        message = f"the stream breaks off at byte {start:,}"
        raise ValueError(message)
    (length,) = struct.unpack_from("<i", data, prefix - 4)
    body = start + prefix + length
    if length == 0:
        return None, body
    if not 0 < length <= min(_MOST, end - start - prefix):
        message = f"the header at byte {start:,} is damaged or cut off"
        raise ValueError(message)
    if prefix + length > len(data):
        data = _read(file, start, body)
    return _Fields(data[prefix : prefix + length]), body


def _rows(header: _Fields) -> int:
    batch = header.table(2)
    rows = batch.number(0, "<q") if batch else -1
    if rows < 0:
        message = "a batch does not tell how many rows it has"
        raise ValueError(message)
    return rows


def _read(file: Any, start: int, end: int) -> bytes:
    data: bytes = file.read_at(end - start, start) if 0 <= start <= end else b""
    if len(data) < end - start or start < 0:
        message = f"it has no bytes from {start:,} to {end:,}"
        raise ValueError(message)
    return data


class _Fields:
    """A table of a flatbuffer: fields by number, any of which may be left out. Raises ValueError where it is damaged.

    Args:
        data: the whole flatbuffer.
        at: where the table begins; the root's, unless given.
    """

    def __init__(self, data: bytes, at: int | None = None) -> None:
        self.data = data
        self._at = self._take("<I", 0) if at is None else at
        self._index = self._at - self._take("<i", self._at)  # of the list of offsets, one a field
        self._width = self._take("<H", self._index)

    def number(self, field: int, form: str) -> int:
        """Return the number of a field in a form of ``struct``; 0 where there is none."""
        at = self._place(field)
        return 0 if at is None else self._take(form, at)

    def table(self, field: int) -> _Fields | None:
        """Return the table that a field leads to."""
        at = self._place(field)
        return None if at is None else _Fields(self.data, at + self._take("<I", at))

    def items(self, field: int, size: int) -> range:
        """Return where each item of a list begins; an item has ``size`` bytes."""
        at = self._place(field)
        if at is None:
            return range(0)
        at += self._take("<I", at)
        first, end = at + 4, at + 4 + size * self._take("<I", at)
        if end > len(self.data):
            message = "a list leads out of its header"
            raise ValueError(message)
        return range(first, end, size)

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = self._take("<H", self._index + entry) if entry < self._width else 0
        return self._at + offset if offset else None

    def _take(self, form: str, at: int) -> int:
        try:
            if at >= 0:
                value: int
                (value,) = struct.unpack_from(form, self.data, at)
                return value
        except struct.error:
            pass
        message = "an offset leads out of its header"
        raise ValueError(message)
