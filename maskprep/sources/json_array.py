"""One JSON array: a row an element, found without holding more than one of them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import Line
from maskprep.sources.jsonl import BOM, too_large

_MARKS = re.compile(rb'["{}\[\],]')
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)  # possessive: nothing is held to go back to
_HINT = "Mend the file, or write one row a line (`jq -c '.[]'` does both where it can read it)."


def read_json_array(source: str, stream: Iterable[bytes], max_bytes: int) -> Iterator[Line]:
    """Yield the elements of the array that a stream holds. ``Where.line`` is their number, from 1.

    An array is often one line, so that lines would not tell its rows apart. An element of more than ``max_bytes`` is
    never held: it comes with the fault ``row-too-large``. Where the array does not end, or something follows it, the
    last row has the fault ``truncated-file`` or ``not-json``.
    """
    yield from element_lines(source, ElementScan(max_bytes), stream, max_bytes)


def element_lines(
    source: str, scan: ElementScan, stream: Iterable[bytes], max_bytes: int, offset: int = 0
) -> Generator[Line, None, int]:
    """Yield the elements that ``scan`` finds in a stream, whose first byte is at ``offset``; return how many."""
    number = 0
    try:
        for data, start, length in scan.elements(stream, offset):
            number += 1
            where = Where(source, number, start)
            yield Line(where, data) if data is not None else Line(where, b"", too_large(length, max_bytes, "row"))
    except RowError as fault:
        number += 1
        yield Line(Where(source, number, scan.start), b"", fault)
    return number


class ElementScan:
    """Finds the elements of an array by brackets and quotes alone.

    ``start`` is the offset of the element that is being read. What follows the array raises ``not-json``; where a
    number of bytes ``may_follow``, they are kept in ``tail``, and one more where there are more.
    """

    def __init__(self, max_bytes: int, may_follow: int = 0) -> None:
        self._max_bytes, self._may_follow = max_bytes, may_follow
        self.tail = bytearray()
        self._held = bytearray()  # the element so far
        self._length = 0  # of the element so far, be it held or not
        self._depth = 0  # brackets that are open; the array's own is one
        self._in_string = self._escaped = self._ended = False
        self._found = 0
        self.start = 0

    @property
    def has_ended(self) -> bool:
        """Whether the array's own bracket was closed."""
        return self._ended

    def elements(self, stream: Iterable[bytes], offset: int = 0) -> Iterator[tuple[bytes | None, int, int]]:
        """Yield bytes, offset and length of each element; the bytes are None where there are more than may be.

        ``offset`` is that of the first block.
        """
        for block in stream:
            yield from self._block(block, offset)
            offset += len(block)
        if not self._ended:
            raise RowError("truncated-file", "the file ends within its JSON array", _HINT)

    def _block(self, block: bytes, offset: int) -> Iterator[tuple[bytes | None, int, int]]:
        begun = 0  # where the block's part of the element begins
        for at, mark in self._marks(block):
            self._depth += (mark in b"[{") - (mark in b"]}")
            opened = mark in b"[{" and self._depth == 1  # the array's own bracket
            ended = (mark == b"," and self._depth == 1) or not self._depth
            if ended:
                self._keep(block[begun : at - 1])
                yield from self._element(last=not self._depth)
            if opened or ended:
                begun = at
                self._begin(offset + at)
            if self._ended:
                break
        if self._ended:
            self._follow(block[begun:], offset + begun)
        else:
            self._keep(block[begun:])

    def _follow(self, piece: bytes, offset: int) -> None:
        """Take what stands behind the array."""
        if self._may_follow:
            self.tail += piece[: self._may_follow + 1 - len(self.tail)]
        elif stripped := piece.lstrip():
            self.start = offset + len(piece) - len(stripped)
            raise RowError("not-json", "something follows the JSON array", _HINT)

    def _marks(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the brackets and commas outside of strings, each with the place behind it."""
        at = 0
        while at < len(block) and not self._ended:
            if self._in_string:
                at = self._string(block, at)
                continue
            found = _MARKS.search(block, at)
            if found is None:
                return
            at = found.end()
            if found[0] == b'"':
                self._in_string = True
            else:
                yield at, found[0]

    def _string(self, block: bytes, at: int) -> int:
        """Return where the string that stands at ``at`` goes no further in this block."""
        if self._escaped:
            at += 1
        found = _IN_STRING.match(block, at)
        assert found is not None
        end = found.end()
        self._escaped = end < len(block) and block[end : end + 1] == b"\\"  # what it escapes is in the next block
        self._in_string = end >= len(block) or self._escaped
        return end + 1

    def _begin(self, offset: int) -> None:
        self._held.clear()
        self._length = 0
        self.start = offset

    def _keep(self, piece: bytes) -> None:
        if not self._length:
            stripped = piece.lstrip() if self._depth else piece.removeprefix(BOM).lstrip()
            self.start += len(piece) - len(stripped)
            piece = stripped
        self._length += len(piece)
        if self._length > self._max_bytes:
            self._held.clear()
        else:
            self._held += piece

    def _element(self, *, last: bool) -> Iterator[tuple[bytes | None, int, int]]:
        data = bytes(self._held).rstrip()
        self._ended = last
        if last and not self._length and not self._found:
            return  # an empty array
        self._found += 1
        yield (None if self._length > self._max_bytes else data), self.start, self._length
