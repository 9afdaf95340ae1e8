"""JSON objects, each over several lines, one behind the other: what `jq .` prints, and editors save.

    {                      row 1, its text from line 1 on
      "messages": [ … ]
    }
    {                      row 2, from line 4 on
      "messages": [ … ]
    }

An object ends where its brackets close. Where brackets are missing, it ends before the next line that begins with a
brace at the margin, if all its own lines were indented: one broken object costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import orjson

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import Line
from maskprep.formats.strict_json import loads
from maskprep.sources.json_head import TOKENS
from maskprep.sources.jsonl import BOM, cut, too_large

_BRACKET = re.compile(rb"[\[\]{}]")
_HINT = "Mend it there. Of a file without faults, `jq -c . FILE` makes one row a line."


def read_json_objects(source: str, stream: Iterable[bytes], max_bytes: int) -> Iterator[Line]:
    """Yield the objects that a stream holds. ``Where.line`` is their number, from 1; ``offset`` where they begin.

    An object of more than ``max_bytes`` is never held: it comes with the fault ``row-too-large``. One that is no JSON
    has a fault that names the line of the file that it begins on; of one that the file ends in it is
    ``truncated-file``. What stands between objects and is no comma is a row of its own, so that nothing is passed over.
    """
    objects = _Objects(source, max_bytes)
    try:
        for data, length in cut(stream, max_bytes):
            yield from objects.line(data, length)
    except RowError as fault:  # the compressed data is damaged
        yield objects.broken(fault)
    else:
        yield from objects.end()


class _Objects:
    """Puts lines together to objects."""

    def __init__(self, source: str, max_bytes: int) -> None:
        self._source, self._max_bytes = source, max_bytes
        self._held = bytearray()  # the object so far
        self._length = 0  # of the object so far, be it held or not
        self._depth = self._number = self._line = self._offset = 0
        self._begun = (1, 0)  # the line, and the byte, that the object begins at
        self._inside = self._indented = 0  # lines within the object, and those of them that are indented
        self._margin = False  # whether the objects so far are indented, so that a brace at the margin begins one
        self._lost = False  # whether nobody knows what object this line belongs to

    def line(self, data: bytes | None, length: int) -> Iterator[Line]:
        """Yield the objects that end on the next line of the file; ``data`` is None where it is too long."""
        self._line += 1
        self._lost &= not (self._margin and data is not None and data[:1] == b"{")
        if data is None and not self._lost:
            yield self._too_long(length)
        elif data is not None and not self._lost:
            lead = len(BOM) if self._line == 1 and data.startswith(BOM) else 0
            if self._depth and data[:1] == b"{" and self._is_indented():
                yield self.broken(self._unclosed(f"before line {self._line:,}, where the next one begins"))
            if self._depth and data[:1] not in {b"}", b"]"}:
                self._inside += 1
                self._indented += data[:1].isspace()
            yield from self._objects(data, lead)
        self._offset += length + 1

    def end(self) -> Iterator[Line]:
        """Yield the object that the file ends in, if any."""
        if self._depth:
            yield self.broken(self._unclosed("before the file ends", "truncated-file"))

    def broken(self, fault: RowError) -> Line:
        """Return a fault in the place of the object so far."""
        self._number += 1
        line = Line(Where(self._source, self._number, self._begun[1]), b"", fault)
        self._reset()
        return line

    def _objects(self, data: bytes, at: int) -> Iterator[Line]:
        if self._depth and _BRACKET.search(data) is None:
            self._keep(data + b"\n")  # as most lines are
            return
        for found in TOKENS.finditer(data, at):
            token = found[0]
            if token == b'"':
                break  # no string goes on in the next line: whoever parses the object says so
            if token in b"{[":
                if not self._depth:
                    yield from self._between(data, at, found.start())
                    at = found.start()
                    self._begun = (self._line, self._offset + at)
                self._depth += 1
            elif token in b"}]" and self._depth:
                self._depth -= 1
                if not self._depth:
                    self._keep(data[at : found.end()])
                    at = found.end()
                    yield self._object()
        if self._depth:
            self._keep(data[at:] + b"\n")
        else:
            yield from self._between(data, at, len(data))

    def _between(self, data: bytes, start: int, end: int) -> Iterator[Line]:
        """Yield what stands between objects, unless it is a comma."""
        text = data[start:end].strip()
        if text and text != b",":
            self._number += 1
            yield Line(Where(self._source, self._number, self._offset + data.index(text, start)), text)

    def _object(self) -> Line:
        self._number += 1
        where, data = Where(self._source, self._number, self._begun[1]), bytes(self._held)
        if self._length > self._max_bytes:
            fault: RowError | None = too_large(self._length, self._max_bytes, "row")
        else:
            fault = _fault(data, self._begun[0])
        self._margin = self._is_indented()
        self._reset()
        return Line(where, b"" if fault else data, fault)

    def _too_long(self, length: int) -> Line:
        """Give up the object that a line of more than ``max_bytes`` belongs to: nobody knows what brackets it has."""
        if not self._depth:
            self._begun = (self._line, self._offset)
        self._lost = True
        fault = too_large(self._length + length, self._max_bytes, "row")
        what = "up to the next line that begins with a brace" if self._margin else "after this place"
        return self.broken(RowError(fault.code, fault.message, f"{fault.hint} Nothing {what} was read."))

    def _unclosed(self, where: str, code: str = "not-json") -> RowError:
        message = f"the object that begins on line {self._begun[0]:,} of the file is not closed {where}"
        return RowError(code, message, _HINT)

    def _is_indented(self) -> bool:
        return 0 < self._inside == self._indented

    def _keep(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > self._max_bytes:
            self._held.clear()
        else:
            self._held += piece

    def _reset(self) -> None:
        self._held.clear()
        self._length = self._depth = 0
        self._inside = self._indented = 0


def _fault(data: bytes, line: int) -> RowError | None:
    """Return what is wrong with an object that begins on a line of the file, None where it is JSON."""
    try:
        orjson.loads(data)
    except ValueError:
        try:
            loads(data)
        except RowError as error:
            return RowError(error.code, f"{error.message}; the object begins on line {line:,} of the file", _HINT)
    return None
