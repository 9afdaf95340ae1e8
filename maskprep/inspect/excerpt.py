"""The text around the fault of a line that cannot be used."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from maskprep.errors import RowError

_BEFORE, _AFTER = 120, 280  # characters
_LOOKED_AT = 2**20  # bytes of a line in which a fault is looked for beyond the places that its message tells

_COLUMN = re.compile(r"\(column (\d+)\)")
_BYTE = re.compile(r"byte (\d+) of the line")
_MESSAGE = re.compile(r"messages\[(\d+)\]")
_LITERAL = re.compile(r"(-?(?:NaN|Infinity)) is not JSON|number out of range: '([^']+)'|the key '([^']+)' occurs twice")


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
    if found := _BYTE.match(error.message):
        at = int(found[1]) - 1
        return _cut(f"byte {at + 1:,}", _text(data[max(0, at - 4 * _BEFORE) : at]), _text(data[at : at + 4 * _AFTER]))
    if found := _COLUMN.search(error.message):
        text, at = _text(data), int(found[1]) - 1
        return _cut(f"column {at + 1:,}", text[:at], text[at:])
    if numbered and (found := _MESSAGE.search(error.message)) and (message := _message(data, int(found[1]))):
        return _cut(found[0], "", message)
    if found := _LITERAL.match(error.message):
        text = _text(data[:_LOOKED_AT])
        literal = found[1] or found[2] or json.dumps(found[3], ensure_ascii=False)
        at = text.rfind(literal)
        if at >= 0:
            return _cut(f"column {at + 1:,}", text[:at], text[at:])
    return _cut("the row begins", "", _text(data[:_LOOKED_AT]))


def _message(data: bytes, number: int) -> str | None:
    """Return message ``number`` of a line as JSON, None where the line has no such message."""
    try:
        return json.dumps(json.loads(data)["messages"][number], ensure_ascii=False)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _cut(title: str, before: str, after: str) -> Excerpt:
    return Excerpt(
        title,
        before if len(before) <= _BEFORE else f"…{before[-_BEFORE:]}",
        after if len(after) <= _AFTER else f"{after[:_AFTER]}…",
    )
