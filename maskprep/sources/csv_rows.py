"""CSV and TSV: a row a record, its fields strings, named by the first record."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator

from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.reading import Line
from maskprep.formats.wording import quote
from maskprep.sources.jsonl import BOM, cut, too_large

_HINT = "A field with commas, quotes or line breaks stands in quotes; a quote within it is doubled."


def read_csv(source: str, stream: Iterable[bytes], max_bytes: int, delimiter: str) -> Iterator[Line]:
    """Yield the records of a stream as JSON objects. ``Where.line`` is the line that a record begins on.

    Empty lines are left out. A record that cannot be read has the fault ``bad-csv``, ``invalid-utf8`` or
    ``row-too-large``; where it is too large over several lines, it is the last. Raises UsageError where the first
    record names no columns.
    """
    csv.field_size_limit(max(csv.field_size_limit(), max_bytes))  # its own limit is 128 KiB, for the whole process
    names: list[str] | None = None
    for where, record in _records(source, _CsvLines(stream, max_bytes), delimiter):
        if names is None:
            if isinstance(record, RowError):
                raise UsageError(f"{source}: its first line names no columns: {record.message}", record.hint)
            names = _header(source, record)
        elif isinstance(record, RowError):
            yield Line(where, b"", record)
        elif len(record) != len(names):
            message = f"the record has {len(record):,} fields, the first line names {len(names):,} columns"
            yield Line(where, b"", RowError("bad-csv", message, _HINT))
        else:
            yield Line(where, json.dumps(dict(zip(names, record, strict=True)), ensure_ascii=False).encode())


def _records(source: str, feed: _CsvLines, delimiter: str) -> Iterator[tuple[Where, list[str] | RowError]]:
    """Yield every record that is not empty, or what is wrong with it."""
    reader: Iterator[list[str]] | None = None
    while True:
        feed.begin_record()
        where = Where(source, feed.line + 1, feed.offset)
        try:
            if reader is None:
                reader = csv.reader(feed, delimiter=_delimiter(feed.peek(), delimiter), strict=True)
            record = next(reader, None)
            if record is None:
                return
            _check_text(record)
        except csv.Error as error:
            yield where, RowError("bad-csv", f"not CSV: {error}", _HINT)
        except RowError as fault:
            open_quote = fault.code == "row-too-large" and feed.line > where.line
            yield where, _never_closed(fault, feed.line - where.line) if open_quote else fault
            # Where a quote is not closed, nobody can tell what is within it: it must not be taken for rows.
            if open_quote or fault.code in {"truncated-file", "compression-bomb"}:
                return
        else:
            if record:
                yield where, record


def _never_closed(fault: RowError, lines: int) -> RowError:
    message = f"{fault.message}: a quote in it is not closed within {lines:,} lines"
    return RowError(fault.code, message, f"{_HINT} Nothing after this place was read.")


class _CsvLines:
    """Gives the lines of a stream as text, counts them, and stops a record that grows beyond ``max_bytes``."""

    def __init__(self, stream: Iterable[bytes], max_bytes: int) -> None:
        self._lines = cut(stream, max_bytes)
        self._next: tuple[bytes | None, int] | None = None
        self._max_bytes = max_bytes
        self._size = 0
        self.line = self.offset = 0  # lines and bytes given so far

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data, length = self._next or next(self._lines)
        self._next = None
        self.line += 1
        self.offset += length + 1
        self._size += length + 1
        if data is None or self._size > self._max_bytes:
            raise too_large(self._size, self._max_bytes, "record")
        if self.line == 1:
            data = data.removeprefix(BOM)
        return data.decode(errors="surrogateescape") + "\n"

    def begin_record(self) -> None:
        """Count the bytes of a record from here."""
        self._size = 0

    def peek(self) -> bytes:
        """Return the next line, empty where there is none or it is too long."""
        self._next = next(self._lines, None)
        return (self._next[0] if self._next else None) or b""


def _delimiter(first: bytes, usual: str) -> str:
    """Return what parts the fields: where the first line holds no comma, spreadsheets may have written ``;``."""
    if usual == "," and b"," not in first:
        return ";" if b";" in first else "\t" if b"\t" in first else ","
    return usual


def _header(source: str, record: list[str]) -> list[str]:
    names = [name.strip() for name in record]
    if len(set(names)) < len(names):
        again = Counter(names).most_common(1)[0][0]
        raise UsageError(f"{source}: its first line names the column {quote(again)} twice", "Rename or drop one.")
    return names


def _check_text(record: list[str]) -> None:
    for field in record:
        try:
            field.encode()
        except UnicodeEncodeError as error:
            byte = ord(field[error.start]) & 0xFF
            message = f"the byte 0x{byte:02x} after {quote(field[max(0, error.start - 20) : error.start])} is not UTF-8"
            raise RowError("invalid-utf8", message, "Convert the file to UTF-8, for example with iconv.") from error
