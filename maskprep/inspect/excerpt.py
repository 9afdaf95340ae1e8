"""The text around the fault of a line that cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BufferedReader
from typing import Any

from maskprep.conversation import Where
from maskprep.errors import MaskprepError, RowError
from maskprep.formats import loads
from maskprep.sources.files import open_file
from maskprep.sources.streams import is_plain
from maskprep.storage import is_remote

_BEFORE, _AFTER = 120, 280  # characters
_LONGEST = 2**24  # bytes of a line that is read again

_MESSAGE = re.compile(r"messages\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a source line: ``title`` says which, the fault lies between ``before`` and ``after``."""

    title: str
    before: str
    after: str

    def facts(self) -> dict[str, str]:
        """Return the excerpt as JSON types."""
        return asdict(self)


def excerpt(error: RowError, data: bytes, *, numbered: bool = True) -> Excerpt | None:
    """Return the text around the fault, where the error says where that lies; else the beginning of the line.

    Args:
        error: why the line cannot be used.
        data: the line.
        numbered: whether messages stand in it as the error numbers them.
    """
    if not data:
        return None
    at = error.facts.get("at")
    if isinstance(at, int) and 0 <= at <= len(data):
        # A character takes at most four bytes: one more on each side tells that something is left out.
        before, after = data[max(0, at - 4 * (_BEFORE + 1)) : at], data[at : at + 4 * (_AFTER + 1)]
        title = f"byte {at + 1:,}" if error.code == "invalid-utf8" else _column(_text(data[:at]))
        return _cut(title, _text(before), _text(after))
    if numbered and (found := _MESSAGE.search(error.message)) and (message := _message(data, int(found[1]))):
        return _cut(found[0], "", message)
    return _cut("the row begins", "", _text(data[: 4 * (_AFTER + 1)]))


def stored_excerpt(where: Where, code: str, message: str, details: Mapping[str, Any]) -> Excerpt | None:
    """Return the excerpt of a rejected row of a finished build, where its line can still be read from its source.

    That it is this line still is proved: parsed again, it must have the fault that the build met.
    """
    if "at" not in details:
        return None
    data = _line(where)
    try:
        loads(data)
    except RowError as found:
        return excerpt(found, data) if (found.code, found.message) == (code, message) else None
    return None


def _line(where: Where) -> bytes:
    """Return the line of a file that begins at an offset, nothing where there is none to be had.

    Only files of this machine: a build that somebody sent must not make requests.
    """
    if is_remote(where.file):
        return b""
    try:
        with open_file(where.file) as file, BufferedReader(file) as lines:
            if not is_plain(where.file):
                return b""
            lines.seek(where.offset)
            return lines.readline(_LONGEST).removesuffix(b"\n")
    except (MaskprepError, OSError, ValueError, OverflowError):
        return b""


def _message(data: bytes, number: int) -> str | None:
    """Return message ``number`` of a line as JSON, None where the line has no such message."""
    try:
        return json.dumps(json.loads(data)["messages"][number], ensure_ascii=False)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _column(before: str) -> str:
    """Name the place behind a text as the parser does: a row may be an object of several lines."""
    lines, column = before.count("\n"), len(before) - before.rfind("\n")
    return f"line {lines + 1:,}, column {column:,}" if lines else f"column {column:,}"


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _cut(title: str, before: str, after: str) -> Excerpt:
    return Excerpt(
        title,
        before if len(before) <= _BEFORE else f"…{before[-_BEFORE:]}",
        after if len(after) <= _AFTER else f"{after[:_AFTER]}…",
    )
