"""From file names to lines: which files, and where in them each row stands."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.streams import STDIN, Progress, blocks, total_bytes

__all__ = ["Line", "expand", "read_lines", "total_bytes"]

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is a row: its bytes without the line end, or ``fault`` where it could not be read."""

    where: Where
    data: bytes
    fault: RowError | None = None


def expand(patterns: Sequence[str]) -> list[str]:
    """Turn file names and globs into the names of the files to read, in the order given, each file once.

    The matches of a glob are sorted, and ``**`` spans folders. ``-`` stands for standard input. Raises UsageError where
    a name is missing or is a directory, or a glob matches no file.
    """
    chosen: dict[str, str] = {}
    for pattern in patterns:
        for name in _matches(pattern):
            _check_name(name)
            chosen.setdefault(name if name == STDIN else os.path.abspath(name), name)  # noqa: PTH100  resolves no link
    return list(chosen.values())


def read_lines(source: str, max_bytes: int, on_progress: Progress | None = None) -> Iterator[Line]:
    r"""Yield the rows of a source, line by line, in constant memory.

    Lines end at ``\n`` and nowhere else; one ``\r`` before it and a byte order mark at the start of the file are
    dropped, and lines of white space are counted but not yielded. A line of more than ``max_bytes`` is never held: it
    comes with the fault ``row-too-large``. Where compressed data is damaged or ends early, the last line has the fault
    ``truncated-file`` and stands where the line that was cut began. Raises UsageError where the source cannot be
    opened and BuildError where reading fails, at the first ``next`` and after.
    """
    number, offset = 1, 0
    try:
        for data, length in _cut(blocks(source, on_progress), max_bytes):
            where = Where(source, number, offset)
            if data is None:
                yield Line(where, b"", _too_large(length, max_bytes))
            else:
                row = (data.removeprefix(_BOM) if number == 1 else data).removesuffix(b"\r")
                if row and not row.isspace():
                    yield Line(where, row)
            number += 1
            offset += length + 1
    except RowError as fault:
        yield Line(Where(source, number, offset), b"", fault)


def _cut(stream: Iterable[bytes], max_bytes: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line and its length; the line is None where it is longer than ``max_bytes``."""
    held = bytearray()  # the start of a line that goes on in the next block
    length = 0  # its whole length, be it held or not
    for block in stream:
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


def _too_large(length: int, max_bytes: int) -> RowError:
    message = f"the line has {length:,} bytes; the most that is read is {max_bytes:,}"
    return RowError("row-too-large", message, "Split or drop the row, or raise the limit on the bytes of a row.")


def _matches(pattern: str) -> list[str]:
    """Find the files that one name or glob stands for; a file whose name looks like a glob is that file."""
    if pattern == STDIN:
        return [STDIN]
    path = Path(pattern)
    if path.is_dir():
        hint = f"Name the files in it, for example {os.path.join(pattern, '*.jsonl')!r}."  # noqa: PTH118
        raise UsageError(f"{pattern} is a directory", hint)
    if path.exists():
        return [pattern]
    if not glob.has_magic(pattern):
        raise UsageError(f"no such file: {pattern}", _looked_up())
    found = sorted(name for name in glob.glob(pattern, recursive=True) if not Path(name).is_dir())  # noqa: PTH207
    if not found:
        raise UsageError(f"no file matches {pattern}", _looked_up())
    return found


def _looked_up() -> str:
    return f"It was looked up from {Path.cwd()}: check the spelling and the folder."


def _check_name(name: str) -> None:
    """Refuse a file name that could not be written down beside the rows that come from it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"the file name {name!r} is not UTF-8"
        raise UsageError(message, "Rename the file: every row records its name.") from error
