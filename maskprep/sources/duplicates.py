"""Which conversations were there before: by a digest of each, sorted."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any

import numpy as np
import orjson

from maskprep.conversation import Conversation, Message, Where

_DIGEST = 16  # bytes
_AS_THEY_ARE = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS

RowRef = tuple[str, int]
"""File and line."""


def digest(conversation: Conversation) -> bytes:
    """Return 16 bytes that are the same for the same conversation.

    The same are messages with their weights and sampled ids, tools, documents and template variables. The order of a
    message's fields does not count, that of the keys within them does: templates print them in their order.
    """
    value = (
        [_plain(message) for message in conversation.messages],
        conversation.tools,
        conversation.documents,
        sorted((conversation.template_kwargs or {}).items()),
    )
    return hashlib.blake2b(_dumps(value), digest_size=_DIGEST).digest()


def _dumps(value: object) -> bytes:
    """Return JSON that is the same for the same value, if not what it would be by another package."""
    try:
        return orjson.dumps(value, option=_AS_THEY_ARE)
    except TypeError:  # a number of more than 64 bits, half of a surrogate pair, very deep nesting
        return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def _plain(message: Message) -> list[object]:
    ranges = message.ranges and [[span.field, span.start, span.end, float(span.weight)] for span in message.ranges]
    said = [sorted(message.fields.items()), float(message.weight), ranges, message.prefix]
    ids = message.sampled
    return said if ids is None else [*said, ids.prompt, ids.completion, ids.weights]


def same(first: RowRef) -> str:
    """Return what is said of a row whose conversation stood at ``first`` before."""
    return f"the same conversation as {first[0]}:{first[1]}"


def packed(found: Iterable[tuple[bytes, Where]]) -> bytes:
    """Return digests and where they stand, in one file, as bytes: 32 each."""
    return b"".join(key + struct.pack("<qq", where.line, where.offset) for key, where in found)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row that was there before: the number of its stretch of rows and its place in that, and those of the first."""

    stretch: int
    line: int
    offset: int
    first_stretch: int
    first_line: int
    digest: bytes


def find_repeats(stretches: Iterable[bytes], most: int = 2**22) -> list[Repeat]:
    """Return all rows that were there before, in order.

    Args:
        stretches: the ``packed`` digests of consecutive stretches of rows.
        most: how many digests are sorted at a time, about: they take some 150 bytes each. More of them wait in a
            temporary file, 40 bytes each, so that memory does not grow with the rows.
    """
    found: list[Repeat] = []
    with tempfile.TemporaryFile() as file:
        runs = list(_runs(stretches, most, file))
        parts = min(_GRID, max(1, -(-sum(run.size for run in runs) // most)))
        for first, last in pairwise([_GRID * part // parts for part in range(parts + 1)]):
            found += _repeats(np.concatenate([run.between(first, last) for run in runs]))
    return sorted(found, key=lambda repeat: (repeat.stretch, repeat.line))


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows in the order of their digests, in memory or at byte ``start`` of a file; ``edges`` say where to look."""

    rows: Any
    file: IO[bytes]
    start: int
    edges: Any

    @property
    def size(self) -> int:
        return int(self.edges[-1])

    def between(self, first: int, last: int) -> Any:
        """Return the rows from one edge to another."""
        low, high = int(self.edges[first]), int(self.edges[last])
        if self.rows is not None:
            return self.rows[low:high]
        self.file.seek(self.start + low * _KEPT.itemsize)
        return np.frombuffer(self.file.read((high - low) * _KEPT.itemsize), _KEPT)


def _runs(stretches: Iterable[bytes], most: int, file: IO[bytes]) -> Iterator[_Run]:
    """Sort the rows in runs of ``most``, about; all but the last go into the file."""
    held, count = [np.zeros(0, _KEPT)], 0
    for number, stretch in enumerate(stretches):
        rows = np.frombuffer(stretch, _DTYPE)
        held.append(np.empty(len(rows), _KEPT))
        for name in rows.dtype.names or ():
            held[-1][name] = rows[name]
        held[-1]["stretch"] = number
        count += len(rows)
        if count >= most:
            yield _stored(held, file)
            held, count = [np.zeros(0, _KEPT)], 0
    run, edges = _sorted(held)
    yield _Run(run, file, 0, edges)


def _stored(held: Sequence[Any], file: IO[bytes]) -> _Run:
    start, (run, edges) = file.seek(0, os.SEEK_END), _sorted(held)
    file.write(run.view(np.uint8).data)
    return _Run(None, file, start, edges)


def _sorted(held: Sequence[Any]) -> tuple[Any, Any]:
    """Return rows by the first half of their digests, and the edges of the ``_GRID`` stretches of them."""
    rows = np.concatenate(held)
    rows = rows[np.argsort(rows["low"], kind="stable")]
    grid = np.arange(1, _GRID, dtype=np.uint64) << np.uint64(64 - _GRID.bit_length() + 1)
    return rows, np.concatenate(([0], np.searchsorted(rows["low"], grid), [len(rows)]))


def _repeats(rows: Any) -> Iterator[Repeat]:
    order = np.lexsort((rows["low"], rows["high"]))  # stable: equal ones stay in their order
    low, high = rows["low"][order], rows["high"][order]
    again = np.concatenate(([False], (low[1:] == low[:-1]) & (high[1:] == high[:-1])))
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
    for place in np.flatnonzero(again):
        row, before = rows[order[place]], rows[order[first[place]]]
        key = int(row["low"]).to_bytes(8, "little") + int(row["high"]).to_bytes(8, "little")
        origin = int(before["stretch"]), int(before["line"])
        yield Repeat(int(row["stretch"]), int(row["line"]), int(row["offset"]), *origin, key)


_DTYPE = np.dtype([("low", "<u8"), ("high", "<u8"), ("line", "<i8"), ("offset", "<i8")])
_KEPT = np.dtype([*_DTYPE.descr, ("stretch", "<i8")])
_GRID = 4096
"""In how many stretches digests can be divided, by their first twelve bits."""
