"""Logs of requests to a model's server and of its answers.

    {"request": {"messages": […], "tools": […]}, "response": {"choices": [{"message": …}]}}
    {"messages": […, the user's last], "response": "…"}

What the assistant says in the request is context, and not in the loss: it was trained, or not, where it was answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.gemini import as_message
from maskprep.formats.keys import MEANINGLESS
from maskprep.formats.names import usual_role
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.openai import LISTS
from maskprep.formats.responses import as_messages
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.wording import kind
from maskprep.policy import Format

_REQUESTS = ("request", "input", "inputs", "body", "request_body", "kwargs")
_ANSWERS = ("response", "output", "outputs", "completion", "answer", "choices", "response_body")
_ASKED = (*LISTS, "contents")
_HINT = 'Give {"request": {"messages": […]}, "response": {"choices": [{"message": {…}}]}}.'


def _fits(row: InputRow) -> bool:
    if row.first(_ANSWERS) is None:
        return False
    if row.first(_ASKED) is not None:
        return _asks(row.get(row.first(_ASKED) or ""))
    name = row.first(_REQUESTS)
    request = row.get(name) if name else None
    return isinstance(request, dict) and any(request.get(key) for key in (*_ASKED, "input"))


def _asks(messages: object) -> bool:
    """Tell whether a list, or the JSON of one, ends with a message that waits for an answer."""
    if isinstance(messages, str) and messages.lstrip().startswith("["):
        try:
            messages = unwrapped(messages)
        except RowError:
            return False
    last = messages[-1] if isinstance(messages, list) and messages else None
    role = last.get("role", last.get("from")) if isinstance(last, dict) else None
    return isinstance(role, str) and usual_role(role) in {"user", "tool"}


def _read(row: InputRow) -> Sequence[Message]:
    answer = row.take(*_ANSWERS)
    name = row.first(_REQUESTS) if row.first(_ASKED) is None else None
    if name is not None:
        row.unfold(name)
    asked = row.first((*_ASKED, "input"))
    if asked is None:
        raise RowError("missing-field", "the request holds no messages", _HINT)
    before = read_dialogue(_messages(row.take(asked), asked), asked, row, (0.0, 1.0))
    if before[-1].role == "assistant":
        msg = "the request ends with what the assistant says: what follows it is not an answer to a question"
        raise RowError("bad-message", msg, "Give the whole answer as the assistant's last message, under messages.")
    return [*before, *read_dialogue(_answered(_logged(answer)), "response", row)]


def _messages(value: object, asked: str) -> list[Any]:
    """Return the messages of a request, whatever kind of server it was sent to. Raises RowError ``bad-message``."""
    if asked == "input" and isinstance(value, str) and not value.lstrip().startswith("["):
        return [{"role": "user", "content": value}]
    listed = unwrapped(value)
    if not isinstance(listed, list) or not listed:
        raise RowError("bad-message", f"{asked} must be a list of messages, not {kind(listed)}", _HINT)
    if asked == "input":
        return list(as_messages(listed, asked))
    if asked == "contents":
        return [as_message(each, f"contents[{index}]") for index, each in enumerate(listed)]
    return listed


def _logged(answer: object) -> object:
    """Return an answer parsed, where it is the JSON of a server's answer; any other text is the answer itself."""
    if not isinstance(answer, str) or not answer.lstrip().startswith("{"):
        return answer
    try:
        value = unwrapped(answer)
    except RowError:
        return answer
    keys = value.keys() if isinstance(value, dict) else set()
    of_a_server = bool(keys & {"choices", "candidates"}) or {"role", "content"} <= keys
    return value if of_a_server else answer


def _answered(answer: object) -> list[Any]:
    """Return the messages of a server's answer, with all that it says of them. Raises RowError ``bad-message``."""
    if isinstance(answer, str):
        return [{"role": "assistant", "content": answer}]
    if isinstance(answer, list):
        return _of_list(answer)
    if not isinstance(answer, dict):
        raise RowError("bad-message", f"response must be an object or a text, not {kind(answer)}", _HINT)
    for key in ("choices", "output", "message", "body", "candidates"):
        if answer.get(key):
            return _with_rest(_answered(answer[key]), answer, key)
    if isinstance(answer.get("content"), dict) and "parts" in answer["content"]:  # a candidate of Gemini's
        return _with_rest([as_message(answer["content"], "candidates[0].content")], answer, "content")
    if isinstance(answer.get("text"), str) and "content" not in answer:  # of a completion
        return _with_rest(_answered(answer["text"]), answer, "text")
    if "content" in answer or "tool_calls" in answer:
        return [{**_around_answer(answer), "role": "assistant"}]
    raise RowError("bad-message", "response holds no answer in a known form", _HINT)


def _of_list(answer: list[Any]) -> list[Any]:
    if len(answer) == 1 and isinstance(answer[0], str | dict) and not _is_item(answer[0]):
        return _answered(answer[0])
    if answer and all(map(_is_item, answer)):
        return list(as_messages(answer, "response"))
    raise RowError(
        "bad-message", f"response is a list of {len(answer)} answers: which is meant, nobody can tell", _HINT
    )


def _is_item(value: object) -> bool:
    """Tell whether a value is a message, or an item of OpenAI's responses."""
    return isinstance(value, dict) and ("role" in value or "type" in value)


def _around_answer(around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys around a server's answer without those that mean nothing for training, lest they be printed."""
    return {name: value for name, value in around.items() if name not in MEANINGLESS}


def _with_rest(messages: list[Any], around: Mapping[str, Any], key: str) -> list[Any]:
    """Return messages, the last with the keys that stood around the answer, so that each is accounted for."""
    rest = {name: value for name, value in _around_answer(around).items() if name not in {key, "role"}}
    return [*messages[:-1], {**rest, **messages[-1]}] if messages else messages


FORMAT = RowFormat(Format.LOG, (*_REQUESTS, *_ANSWERS, *_ASKED), _fits, _read)
