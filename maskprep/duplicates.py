"""Which conversations were there before: by a digest of each, sorted."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskprep.conversation import Conversation, Message, Where

_DIGEST = 16  # bytes

Place = tuple[str, int]
"""File and line."""


def digest(conversation: Conversation) -> bytes:
    """Return 16 bytes that are the same for the same conversation.

    The same are messages with their weights, tools, documents and template variables. The order of a message's fields
    does not count, that of the keys within them does: templates print them in their order.
    """
    value = (
        [_plain(message) for message in conversation.messages],
        conversation.tools,
        conversation.documents,
        sorted((conversation.template_kwargs or {}).items()),
    )
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_DIGEST).digest()


def _plain(message: Message) -> list[object]:
    ranges = [[span.field, span.start, span.end, float(span.weight)] for span in message.ranges]
    return [sorted(message.fields.items()), float(message.weight), ranges, message.prefix]


def same(first: Place) -> str:
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


def find_repeats(read: Callable[[], Iterable[bytes]], most: int = 2**24) -> list[Repeat]:
    """Return all rows that were there before, in order.

    Args:
        read: yields the ``packed`` digests of consecutive stretches of rows, as often as it is called.
        most: how many digests are sorted at a time, about: they take some 100 bytes each.

    The digests are divided by their first byte, so that memory does not grow with the rows.
    """
    sizes = [len(stretch) // _DTYPE.itemsize for stretch in read()]
    parts = min(256, max(1, -(-sum(sizes) // most)))
    found: list[Repeat] = []
    for part in range(parts):
        kept, numbers = [], []
        for number, stretch in enumerate(read()):
            rows = np.frombuffer(stretch, _DTYPE)
            chosen = rows[(rows["low"] & 0xFF) % parts == part] if parts > 1 else rows
            kept.append(chosen)
            numbers.append(np.full(len(chosen), number, np.int64))
        found += _repeats(np.concatenate([*kept, np.zeros(0, _DTYPE)]), np.concatenate([*numbers, np.zeros(0, int)]))
    return sorted(found, key=lambda repeat: (repeat.stretch, repeat.line))


def _repeats(rows: Any, numbers: Any) -> Iterator[Repeat]:
    order = np.lexsort((rows["low"], rows["high"]))  # stable: equal ones stay in their order
    low, high = rows["low"][order], rows["high"][order]
    again = np.concatenate(([False], (low[1:] == low[:-1]) & (high[1:] == high[:-1])))
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
    for place in np.flatnonzero(again):
        row, before = order[place], order[first[place]]
        key = int(rows["low"][row]).to_bytes(8, "little") + int(rows["high"][row]).to_bytes(8, "little")
        yield Repeat(
            int(numbers[row]),
            int(rows["line"][row]),
            int(rows["offset"][row]),
            int(numbers[before]),
            int(rows["line"][before]),
            key,
        )


_DTYPE = np.dtype([("low", "<u8"), ("high", "<u8"), ("line", "<i8"), ("offset", "<i8")])
