"""The prompt/completion shape: two strings, the user's and the assistant's, or two lists of messages."""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.history import read_history
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.row import Row
from maskprep.formats.shape import Shape
from maskprep.formats.wording import kind

_HINT = 'Give {"prompt": "…", "completion": "…"}, or lists of messages; columns: can map other names.'
_ANSWERS = ("completion", "response")


def _fits(row: Row) -> bool:
    return row.get("prompt") is not None and row.first(_ANSWERS) is not None


def read_prompt_completion(row: Row) -> Sequence[Message]:
    """Take the prompt and the completion. What the assistant says within the prompt is not in the loss."""
    answer = row.first(_ANSWERS) or "completion"
    history = read_history(row) if isinstance(row.get("prompt"), str) else []
    return [*history, *_side(row, "prompt", "user"), *_side(row, answer, "assistant")]


def _side(row: Row, key: str, role: str) -> list[Message]:
    present = key in row.fields
    value = row.take(key)
    if isinstance(value, str) and value.lstrip().startswith('[{"'):
        value = _as_messages(value)
    if isinstance(value, str):
        return [Message({"role": role, "content": value})]
    if value is None:
        raise RowError("missing-field", f"the row's {key} is {'null' if present else 'missing'}", _HINT)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise RowError("bad-message", f"{key} must be a string or a list of messages, not {kind(value)}", _HINT)
    return read_dialogue(value, key, row, (0.0 if key == "prompt" else 1.0, 1.0))


def _as_messages(text: str) -> object:
    """Return the list of messages that a text is the JSON of, the text where it is none."""
    try:
        value = unwrapped(text)
    except RowError:
        return text
    are_messages = isinstance(value, list) and all(isinstance(item, dict) and "role" in item for item in value)
    return value if are_messages else text


PROMPT_COMPLETION = Shape("prompt_completion", ("prompt", *_ANSWERS, "history"), _fits, read_prompt_completion)
