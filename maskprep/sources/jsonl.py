"""JSONL: one row a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import Line
from maskprep.sources.row_limit import RAISE_IT

BOM = b"\xef\xbb\xbf"


def read_jsonl(
    source: str, stream: Iterable[bytes], max_bytes: int, number: int = 1, offset: int = 0
) -> Iterator[Line]:
    r"""Yield the rows of a stream, line by line, in constant memory.

    The stream begins with line ``number``, at byte ``offset`` of the file.

    Lines end at ``\n`` and nowhere else; one ``\r`` before it and a byte order mark at the start of the file are
    dropped, and lines of white space are counted but not yielded. A line of more than ``max_bytes`` is never held: it
    comes with the fault ``row-too-large``. Where compressed data is damaged, ends early or is a bomb, the last line has
    the fault ``truncated-file`` or ``compression-bomb`` and stands where the line that was cut began.
    """

    def skip(lines: int, size: int) -> None:
        nonlocal number, offset
        number += lines
        offset += size

    try:
        for data, length in cut(stream, max_bytes, skip):
            if data is None:
                yield Line(Where(source, number, offset), b"", too_large(length, max_bytes))
            elif data:
                row = (data.removeprefix(BOM) if number == 1 else data).removesuffix(b"\r")
                if row and not row.isspace():
                    yield Line(Where(source, number, offset), row)
            number += 1
            offset += length + 1
    except RowError as fault:
        yield Line(Where(source, number, offset), b"", fault)


def cut(
    stream: Iterable[bytes], max_bytes: int, skip: Callable[[int, int], None] | None = None
) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line and its length; the line is None where it is longer than ``max_bytes``.

    Where many lines in a row are empty, ``skip``, if given, is called with their number and bytes instead.
    """
    held = bytearray()  # the start of a line that goes on in the next block
    length = 0  # its whole length, be it held or not
    for block in stream:
        if skip is not None and not length and not block.strip(b"\n"):
            skip(len(block), len(block))
            continue
        *ended, rest = block.split(b"\n")
        for piece in ended:
            length += len(piece)
            if length > max_bytes:
                yield None, length
            elif held:
                held += piece
                yield bytes(held), length
            else:
                yield piece, length
            held.clear()
            length = 0
        length += len(rest)
        if length > max_bytes:
            held.clear()
        else:
            held += rest
    if length:
        yield (None if length > max_bytes else bytes(held)), length


def too_large(length: int, max_bytes: int, what: str = "line") -> RowError:
    """Return the fault of a row of more than ``max_bytes``; ``length`` is what was seen of it."""
    message = f"the {what} has {length:,} bytes; the most that is read is {max_bytes:,}"
    return RowError("row-too-large", message, RAISE_IT)
