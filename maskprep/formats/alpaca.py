"""The Alpaca shape: ``instruction``, ``input`` and ``output`` (or ``response``), with ``system`` and ``history``.

The user's message is the instruction and, on a line of its own, the input where there is one, as LLaMA-Factory and
ms-swift join them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.formats.names import Names
from maskprep.formats.openai import as_object
from maskprep.formats.row import finish
from maskprep.formats.strict_json import loads_text
from maskprep.formats.wording import kind

_HINT = 'An Alpaca row is {"instruction": "…", "input": "…", "output": "…"}; columns: can map other names.'
_PAIR = 2


def fits_alpaca(row: Mapping[str, Any], _names: Names) -> bool:
    """Tell whether a row under canonical names has an instruction and an answer."""
    return row.get("instruction") is not None and any(row.get(key) is not None for key in ("output", "response"))


def from_alpaca(row: object, names: Names) -> Conversation:
    """Normalise a row; all answers are in the loss, those of its history too. Raises RowError."""
    fields = names.row(as_object(row))
    asked = [_text(fields, "instruction"), _text(fields, "input", "context")]
    said = _text(fields, "output", "response")
    question = "\n".join(text for text in asked if text)
    if said is None or not question:
        missing = "answer: output and response are" if said is None else "question: instruction and input are"
        raise RowError("missing-field", f"the row has no {missing} missing, null or empty", _HINT)
    turns = [text for pair in _history(fields.get("history")) for text in pair]
    roles = ("user", "assistant")
    messages = [
        Message({"role": roles[index % 2], "content": text}) for index, text in enumerate([*turns, question, said])
    ]
    return finish(fields, messages, [])


def _text(fields: Mapping[str, Any], *keys: str) -> str | None:
    for key in keys:
        value = fields.get(key)
        if value is not None:
            if not isinstance(value, str):
                raise RowError("bad-message", f"{key} must be a string, not {kind(value)}", _HINT)
            return value
    return None


def _history(value: object) -> list[list[str]]:
    """Read earlier turns, a list of ``[question, answer]`` or that list as JSON text."""
    hint = 'Give history as [["question", "answer"], …].'
    if isinstance(value, str) and value:
        try:
            value = loads_text(value)
        except RowError as error:
            raise RowError("bad-message", f"history is a string that is not JSON: {error.message}", hint) from error
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise RowError("bad-message", f"history must be a list of pairs, not {kind(value)}", hint)
    for index, pair in enumerate(value):
        if not (isinstance(pair, list) and len(pair) == _PAIR and all(isinstance(text, str) for text in pair)):
            raise RowError("bad-message", f"history[{index}] must be a pair of strings", hint)
    return value
