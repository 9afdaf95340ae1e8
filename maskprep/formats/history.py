"""Earlier turns that stand in a field of their own, beside the last question."""

from __future__ import annotations

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.row import InputRow
from maskprep.formats.wording import kind

_HINT = 'Give history as [["question", "answer"], …].'
_PAIR = 2
_ROLES = ("user", "assistant")


def read_history(row: InputRow) -> list[Message]:
    """Return the messages of ``history``: pairs of texts, messages, or either list as JSON text. Raises RowError."""
    value = row.take("history")
    if isinstance(value, str) and value:
        try:
            value = unwrapped(value)
        except RowError as error:
            raise RowError("bad-message", f"history is a string that is not JSON: {error.message}", _HINT) from error
    if value is None or value in ("", []):
        return []
    if not isinstance(value, list):
        raise RowError("bad-message", f"history must be a list of pairs, not {kind(value)}", _HINT)
    if all(isinstance(item, dict) for item in value):
        return read_dialogue(value, "history", row)
    for index, pair in enumerate(value):
        if not (isinstance(pair, list) and len(pair) == _PAIR and all(isinstance(text, str) for text in pair)):
            raise RowError("bad-message", f"history[{index}] must be a pair of strings", _HINT)
    return [Message({"role": role, "content": text}) for pair in value for role, text in zip(_ROLES, pair, strict=True)]
