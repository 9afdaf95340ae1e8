"""A question and its answer in two fields, by their usual names: ``query`` and ``response``, say.

With ``history`` before it, as ms-swift writes rows. Where a row has two fields that may be the question, or two that
may be the answer, it is not guessed which is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskprep.conversation import Message
from maskprep.formats.history import read_history
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.policy import Format

_QUESTIONS = ("question", "query", "problem", "user", "human", "input", "inputs", "prompt", "instruction")
_ANSWERS = ("answer", "response", "output", "completion", "solution", "assistant", "gpt", "target", "targets", "reply")
_HINT = 'Give {"question": "…", "answer": "…"}; columns: can map other names.'


def names_of(row: InputRow) -> tuple[str, str] | None:
    """Return the fields of the question and of the answer, None where there is not exactly one of each."""
    lower = {key.lower(): key for key in reversed(list(row.fields)) if isinstance(row.fields[key], str)}
    asked, said = (_saying([lower[name] for name in names if name in lower], row) for names in (_QUESTIONS, _ANSWERS))
    return (asked[0], said[0]) if len(asked) == 1 and len(said) == 1 else None


def _saying(keys: list[str], row: InputRow) -> list[str]:
    """Return the keys whose fields hold a text; all of them where each is empty, as columns of a table may be."""
    return [key for key in keys if row.fields[key].strip()] or keys


def _read(row: InputRow) -> Sequence[Message]:
    question, answer = names_of(row) or ("question", "answer")
    history = read_history(row)
    asked = Message({"role": "user", "content": row.text(question, hint=_HINT) or ""})
    return [*history, asked, Message({"role": "assistant", "content": row.text(answer, hint=_HINT) or ""})]


FORMAT = RowFormat(
    Format.QUESTION_ANSWER,
    (*_QUESTIONS, *_ANSWERS, "history"),
    lambda row: names_of(row) is not None,
    _read,
    messages=False,
)
