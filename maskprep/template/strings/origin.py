"""Where a character comes from, as one small integer.

    0                        the template wrote it
    (message + 2) * 16 + p   message ``message`` wrote it, in the part with index ``p`` (message -1: tools, documents)

The part ``LOST`` says that the character was computed *from* a message in a way that does not keep single characters
apart (reversed, say): it is known whose text went in, not which characters are whose. ``MIXED`` is such text
made from more than one place. The flag ``NOTATION`` is added where a template prints a list or a mapping as it is: then
Python's notation stands in the text, which is hardly ever meant. Above it stands the *shade*: which stretch of the
message's field it is, where the data tells stretches apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from maskprep.policy import Part

TEMPLATE = 0
_PARTS = (Part.CONTENT, Part.REASONING, Part.TOOL_CALL, Part.TOOLS, Part.DOCUMENTS)
_LOST = 15
NOTATION = 1 << 40
_SHADE = 1 << 41

PLAIN, CALL_ID, FIRST_RANGE = 0, 1, 2
"""The shades: ordinary text, the id of a tool call, and from there on the ranges of the message, in their order."""


def source_of(message: int, part: Part) -> int:
    """Return the source of the text that ``message`` (-1: no message) holds in ``part``."""
    return (message + 2) * 16 + _PARTS.index(part)


MIXED = (-1 + 2) * 16 + _LOST


def message_of(source: int) -> int:
    """Return the index of the message that a source names, -1 where it names none."""
    return source % NOTATION // 16 - 2 if source else -1


def part_of(source: int) -> Part:
    """Return the part that a source names. Lost text counts as content of its message."""
    if not source:
        return Part.SCAFFOLD
    index = source % 16
    return Part.CONTENT if index == _LOST else _PARTS[index]


def shaded(source: int, shade: int) -> int:
    """Return ``source`` with its shade replaced by ``shade``."""
    return source % _SHADE + shade * _SHADE


def shade_of(source: int) -> int:
    """Return the shade of a source: which stretch of the message's field it names."""
    return source // _SHADE


def has_notation(source: int) -> bool:
    """Tell whether text of this source stands there as Python prints a list or a mapping."""
    return bool(source & NOTATION)


def is_lost(source: int) -> bool:
    """Tell whether the single characters of this source are not known."""
    return source % 16 == _LOST and source != TEMPLATE


def lost(sources: Iterable[int]) -> int:
    """Return the source of text computed from text of these sources by an operation that mixes characters."""
    messages = {source % NOTATION // 16 for source in sources if source}
    if not messages:
        return TEMPLATE
    if len(messages) > 1:
        return MIXED
    return messages.pop() * 16 + _LOST
