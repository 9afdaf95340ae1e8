"""Logs of requests to a model's server and of its answers.

    {"request": {"messages": […], "tools": […]}, "response": {"choices": [{"message": …}]}}
    {"messages": […, the user's last], "response": "…"}

What the assistant says in the request is context, and not in the loss: it was trained, or not, where it was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.gemini import as_message
from maskprep.formats.names import usual_role
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.openai import LISTS
from maskprep.formats.responses import as_messages
from maskprep.formats.row import Row
from maskprep.formats.shape import Shape
from maskprep.formats.wording import kind

_REQUESTS = ("request", "input", "inputs", "body", "request_body", "kwargs")
_ANSWERS = ("response", "output", "outputs", "completion", "answer", "choices", "response_body")
_ASKED = (*LISTS, "contents")
_HINT = 'Give {"request": {"messages": […]}, "response": {"choices": [{"message": {…}}]}}.'


def _fits(row: Row) -> bool:
    if row.first(_ANSWERS) is None:
        return False
    if row.first(_ASKED) is not None:
        return _asks(row.get(row.first(_ASKED) or ""))
    name = row.first(_REQUESTS)
    request = row.get(name) if name else None
    return isinstance(request, dict) and any(request.get(key) for key in (*_ASKED, "input"))


def _asks(messages: object) -> bool:
    """Tell whether a list ends with a message that waits for an answer."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    role = last.get("role", last.get("from")) if isinstance(last, dict) else None
    return isinstance(role, str) and usual_role(role) in {"user", "tool"}


def _read(row: Row) -> Sequence[Message]:
    answer = row.take(*_ANSWERS)
    name = row.first(_REQUESTS) if row.first(_ASKED) is None else None
    if name is not None:
        row.unfold(name)
    asked = row.first((*_ASKED, "input"))
    if asked is None:
        raise RowError("missing-field", "the request holds no messages", _HINT)
    listed = unwrapped(row.take(asked)) if asked != "input" else list(as_messages(row.take(asked), asked))
    if asked == "contents":
        listed = [as_message(each, f"contents[{index}]") for index, each in enumerate(listed)]
    said = _answered(unwrapped(answer) if isinstance(answer, str) and answer.lstrip().startswith("{") else answer)
    return [*read_dialogue(listed, asked, row, (0.0, 1.0)), *read_dialogue(said, "response", row)]


def _answered(answer: object) -> list[Any]:
    """Return the messages of what a server answered. Raises RowError ``bad-message``."""
    if isinstance(answer, str):
        return [{"role": "assistant", "content": answer}]
    if isinstance(answer, list):
        first = answer[0] if len(answer) == 1 else None
        if isinstance(first, dict) and isinstance(first.get("message"), dict):
            return [first["message"]]
        if answer and all(isinstance(each, dict) and ("role" in each or "type" in each) for each in answer):
            return list(as_messages(answer, "response"))
        raise RowError("bad-message", f"response is a list of {len(answer)} answers, or of none", _HINT)
    if not isinstance(answer, dict):
        raise RowError("bad-message", f"response must be an object or a text, not {kind(answer)}", _HINT)
    for key in ("choices", "output", "message", "body"):
        if answer.get(key):
            return _answered(answer[key])
    candidates = answer.get("candidates")
    if isinstance(candidates, list) and len(candidates) == 1 and isinstance(candidates[0], dict):
        return [as_message(candidates[0].get("content"), "candidates[0].content")]
    if "content" in answer or "tool_calls" in answer:
        known = ("content", "tool_calls", "reasoning_content", "reasoning", "thinking", "reasoning_details", "refusal")
        return [{"role": "assistant", **{key: answer[key] for key in known if key in answer}}]
    raise RowError("bad-message", "response holds no answer in a known form", _HINT)


LOGS = Shape("log", (*_REQUESTS, *_ANSWERS, *_ASKED), _fits, _read)
