"""Input shapes: from rows to conversations.

    Line ─▶ detect ─▶ parse
            Reading   Row ─▶ shape.read ─▶ finish ─▶ Conversation, or RowError
                             messages      system, tools, weights; every key is accounted for

A shape is one file and its name in ``policy.Format``; ``prompt_completion.py`` is a small one. What it does not take
from a row is meaningless (``keys.py`` has the table), is named in the summary, or rejects the row.
"""

from __future__ import annotations

from maskprep.formats.reading import DEFAULT, Line, Reading, detect, parse, readable
from maskprep.formats.strict_json import loads

__all__ = ["DEFAULT", "Line", "Reading", "detect", "loads", "parse", "readable"]
