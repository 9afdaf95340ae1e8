"""The Alpaca format: ``instruction``, ``input`` and ``output`` (or ``response``), with ``system`` and ``history``.

The user's message is the instruction and, on a line of its own, the input where there is one, as LLaMA-Factory and
ms-swift join them.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.history import read_history
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format

_HINT = 'An Alpaca row is {"instruction": "…", "input": "…", "output": "…"}; columns: can map other names.'
_FIELDS = ("instruction", "input", "context", "output", "response", "history")


def _fits(row: InputRow) -> bool:
    return row.get("instruction") is not None and row.first(("output", "response")) is not None


def _read(row: InputRow) -> Sequence[Message]:
    """Return the messages of a row's history, question and answer; all answers are in the loss, the history's too."""
    asked = [row.text("instruction", hint=_HINT), row.text("input", "context", hint=_HINT)]
    said = row.text("output", "response", hint=_HINT)
    question = "\n".join(text for text in asked if text)
    if said is None or not question:
        missing = "answer: output and response are" if said is None else "question: instruction and input are"
        raise RowError("missing-field", f"the row has no {missing} missing, null or empty", _HINT)
    asks, says = Message({"role": "user", "content": question}), Message({"role": "assistant", "content": said})
    return [*read_history(row), asks, says]


FORMAT = RowFormat(Format.ALPACA, _FIELDS, _fits, _read, messages=False)
