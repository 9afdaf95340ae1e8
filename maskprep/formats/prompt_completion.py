"""The prompt/completion format: two strings, of user and assistant, or two lists of messages."""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.history import read_history
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.question_answer import names_of
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.wording import kind
from maskprep.policy import Format

_HINT = 'Give {"prompt": "…", "completion": "…"}, or lists of messages; columns: can map other names.'
_ANSWERS = ("completion", "response")


def _fits(row: InputRow) -> bool:
    answer = _answer(row)
    if row.get("prompt") is None or answer is None:
        return False
    if not (_is_blank(row.get("prompt")) and _is_blank(row.get(answer))):
        return True
    other = names_of(row)  # of a table that has columns for several formats
    return other is None or all(_is_blank(row.get(key)) for key in other)


def _answer(row: InputRow) -> str | None:
    """Return the field of the answer: the first that says something, else the first that is there."""
    return next((key for key in _ANSWERS if not _is_blank(row.get(key))), row.first(_ANSWERS))


def _is_blank(value: object) -> bool:
    return not (value.strip() if isinstance(value, str) else value)


def read_prompt_completion(row: InputRow) -> Sequence[Message]:
    """Return the messages of prompt and completion. The assistant messages within the prompt are not in the loss."""
    answer = _answer(row) or "completion"
    history = read_history(row) if isinstance(row.get("prompt"), str) else []
    return [*history, *_side(row, "prompt", "user"), *_side(row, answer, "assistant")]


def _side(row: InputRow, key: str, role: str) -> list[Message]:
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


FORMAT = RowFormat(Format.PROMPT_COMPLETION, ("prompt", *_ANSWERS, "history"), _fits, read_prompt_completion)
