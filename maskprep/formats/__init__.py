"""Input shapes: from the lines of a file to conversations.

    expand ─▶ read_lines ─▶ parse
    names     Line          Conversation, or RowError

A shape is a function from a parsed row to a Conversation; to add one, write it beside ``openai.py`` and name it in
``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable

from maskprep.conversation import Conversation
from maskprep.formats.lines import Line, expand, read_lines, total_bytes
from maskprep.formats.openai import to_conversation
from maskprep.formats.strict_json import loads

__all__ = ["FORMATS", "Line", "expand", "parse", "read_lines", "total_bytes"]

FORMATS: dict[str, Callable[[object], Conversation]] = {"openai": to_conversation}
"""The shapes that a row may have, by name."""


def parse(line: Line, shape: str = "openai") -> Conversation:
    """Parse one line into a conversation; raises RowError, be it the line's own fault or that of what it holds."""
    if line.fault is not None:
        raise line.fault
    return FORMATS[shape](loads(line.data))
