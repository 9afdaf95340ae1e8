"""xLAM's format: a ``query``, the calls that answer it, ``answers``, the ``tools``, and ``history`` before them."""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.history import read_history
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.tool_calls import read_tool_calls
from maskprep.policy import Format

_HINT = 'Give {"query": "…", "answers": [{"name": "…", "arguments": {…}}], "tools": […]}.'


def _fits(row: InputRow) -> bool:
    value = row.get("answers")
    listed = isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("["))
    return listed and row.get("query") is not None


def _read(row: InputRow) -> Sequence[Message]:
    asked = row.text("query", hint=_HINT)
    value = row.take("answers")
    try:
        answers = unwrapped(value)
    except RowError as error:
        raise RowError("bad-tool-call", f"answers are no JSON of calls: {error.message}", _HINT) from error
    calls = read_tool_calls(answers, "answers", row.findings)
    said = {"role": "assistant", "content": "", **({"tool_calls": calls} if calls else {})}
    return [*read_history(row), Message({"role": "user", "content": asked or ""}), Message(said)]


FORMAT = RowFormat(Format.XLAM, ("query", "answers", "history"), _fits, _read, messages=False)
