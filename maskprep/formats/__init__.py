"""Input shapes: from rows to conversations.

    Line ─▶ detect ─▶ parse
            Reading   Conversation, or RowError

A shape is a function from a parsed row to a Conversation, beside one that tells whether a row has it; to add one, write
both beside ``alpaca.py`` and name them in ``reading.py``.
"""

from __future__ import annotations

from maskprep.conversation import Conversation
from maskprep.formats.lines import Line
from maskprep.formats.reading import DEFAULT, FORMATS, Reading, detect
from maskprep.formats.strict_json import loads

__all__ = ["DEFAULT", "FORMATS", "Line", "Reading", "detect", "loads", "parse"]


def parse(line: Line, reading: Reading = DEFAULT) -> Conversation:
    """Parse one line into a conversation; raises RowError, be it the line's own fault or that of what it holds."""
    if line.fault is not None:
        raise line.fault
    return reading.parse(loads(line.data))
