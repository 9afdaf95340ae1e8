r"""Plain JSONL in parts: byte ranges, with the numbers of the lines that begin in each.

    bytes   {"a":1}\n{"b":2}\n{"c":3}\n{"d":4}
    parts   │0 ······ 10│ ······ 20│ ········│      each of 10 bytes
    first   1           3          4                the line that is the first to begin in it

A line belongs to the part that it begins in. Its number is known by counting the newlines before it, once, when the
file is divided: whoever reads a part reads no other.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from maskprep.sources.files import stretch
from maskprep.sources.streams import BLOCK

_COUNTED = 1 << 18  # bytes counted at a time: they stay in the processor's cache
_TAIL = 1 << 18  # bytes read at a time to find where the first line begins, and the last one ends


def edges(file: io.RawIOBase, size: int, target: int) -> list[tuple[int, int]]:
    """Return where each part begins (bytes), and the number of its first line; in every one of them a line begins.

    Args:
        file: at its start; read to its end, in constant memory.
        size: its bytes.
        target: bytes of a part; fewer in the last, more where no line begins within so many.
    """
    found = [(0, 1), *_firsts(file, size, target)]
    return [edge for edge, following in pairwise(found) if following[1] > edge[1]]


def _firsts(file: io.RawIOBase, size: int, target: int) -> Iterator[tuple[int, int]]:
    """Yield every edge within the file, and its end, with the number of the first line that begins there or later."""
    buffer = np.empty(_COUNTED, np.uint8)
    edge, at, newlines = min(target, size), 0, 0
    while count := file.readinto(buffer.data):
        done = 0
        while edge - 1 < at + count:
            # Where the byte before the edge is a newline, a line begins at the edge itself: it is not counted yet.
            before = edge - 1 - at
            newlines += _newlines(buffer[done:before])
            yield edge, newlines + 2
            done = before
            if edge == size:
                return
            edge = min(edge + target, size)
        newlines += _newlines(buffer[done:count])
        at += count


def _newlines(data: Any) -> int:
    return int(np.count_nonzero(data == ord("\n")))


def first_line(file: io.RawIOBase, start: int, end: int) -> int:
    """Return the byte of the first line that begins in ``start:end``; ``end`` where none does."""
    if not start:
        return 0
    at = file.seek(start - 1)
    while at < end and (block := file.read(min(_TAIL, end - at))):
        found = block.find(b"\n")
        if found >= 0:
            return min(at + found + 1, end)
        at += len(block)
    return end


def lines_from(file: io.RawIOBase, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of the lines that begin in ``begin:end``, in blocks; a line begins at ``begin``."""
    at, last = begin, b"\n"
    with stretch(file, begin, end) as forward:
        while at < end and (block := forward.read(min(BLOCK, end - at))):
            at += len(block)
            last = block[-1:]
            yield block
    file.seek(at)
    while last != b"\n" and (block := file.read(_TAIL)):
        line, last, _ = block.partition(b"\n")
        yield line + last
