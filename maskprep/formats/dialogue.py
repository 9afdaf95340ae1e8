"""A conversation as a list: of messages, of pairs of question and answer, or of texts that alternate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.channels import join_channels
from maskprep.formats.message import read_message
from maskprep.formats.names import CALL, REASONING_KEYS
from maskprep.formats.nested_json import unwrapped, unwrapped_list
from maskprep.formats.plain import plain_message
from maskprep.formats.row import InputRow
from maskprep.formats.wording import kind

_HINT = 'Give a list of messages: [{"role": "user", "content": "…"}, …].'

PAIRS = (
    *(("human", "assistant"), ("user", "assistant"), ("instruction", "output"), ("instruction", "response")),
    *(("input", "output"), ("question", "answer"), ("prompt", "response"), ("prompt", "completion")),
    *(("query", "response"), ("human", "gpt"), ("user", "bot"), ("human", "bot"), ("q", "a")),
)
"""The keys under which one element of a list may hold a question and its answer."""

_PAIR_SYSTEM = ("system", "system_prompt")


def read_dialogue(value: object, at: str, row: InputRow, weights: tuple[float, float] = (1.0, 1.0)) -> list[Message]:
    """Return the messages of a list, or of that list as JSON text, which stands ``at`` a place such as ``messages``.

    Its elements are messages, pairs of a question and an answer, or texts that alternate, the user's first. Tool calls
    in a message of their own join the assistant message before them: the model writes both in one turn. ``weights``
    are how much an assistant message, and any other, counts by default. Raises RowError.
    """
    messages: list[Message] = []
    listed = _listed(value, at)
    if len(listed) > 1 and all(isinstance(item, str) for item in listed):
        return _alternating(listed, weights)
    for index, raw in enumerate(listed):
        plain = plain_message(raw) if row.is_plain else None
        if plain is not None:
            own = weights[0] if plain.role == "assistant" else weights[1]
            messages.append(plain if own == 1 else replace(plain, weight=own))
            continue
        place = f"{at}[{index}]"
        pair = pair_of(raw, row)
        if pair is not None:
            messages += _read_pair(raw, pair, place, row, weights)
            continue
        named = row.names.role(row.names.message(raw), place) if isinstance(raw, dict) else ""
        own = weights[0] if named in {"assistant", CALL} else weights[1]
        for message in read_message(raw, place, row, own):
            if named == CALL and messages and _one_turn(messages[-1], message):
                messages[-1] = _joined(messages[-1], message)
            else:
                messages.append(message)
    return join_channels(messages, at, row.findings)


def pair_of(raw: object, row: InputRow) -> tuple[str, str] | None:
    """Return the keys under which an element of a list holds a question and an answer, None where it is no pair."""
    if not isinstance(raw, dict) or "role" in raw or "from" in raw:
        return None
    message = row.names.renamed_message(raw)
    if "role" in message or "from" in message:
        return None
    return next((pair for pair in PAIRS if all(isinstance(raw.get(key), str) for key in pair)), None)


def check_prefix(messages: list[Message], at: str) -> None:
    """Refuse a ``prefix`` in any message but the last, or but an assistant message. Raises RowError ``bad-prefix``."""
    for index, message in enumerate(messages):
        if message.prefix and (index < len(messages) - 1 or message.role != "assistant"):
            text = f"{at}: message {index} is marked as a prefix, but it is not the assistant's last message"
            raise RowError("bad-prefix", text, "Only what the last message begins with can be given to the model.")


def _listed(value: object, at: str) -> list[Any]:
    if isinstance(value, str) and value.lstrip().startswith(("[", '"[', '"\\"[')):
        try:
            value = unwrapped(value)
        except RowError as error:
            raise RowError("no-messages", f"{at} is a string that is not JSON: {error.message}", _HINT) from error
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else kind(value)
        raise RowError("no-messages", f"{at} must be a list of messages, not {found}", _HINT)
    return list(unwrapped_list(value))


def _alternating(texts: list[str], weights: tuple[float, float]) -> list[Message]:
    return [
        Message({"role": ("user", "assistant")[index % 2], "content": text}, weights[1 - index % 2])
        for index, text in enumerate(texts)
    ]


def _read_pair(
    raw: dict[str, Any], pair: tuple[str, str], at: str, row: InputRow, weights: tuple[float, float]
) -> list[Message]:
    """Return the messages of a question and its answer; keys beside them that speak of the loss are the answer's."""
    question, answer = pair
    systems = [key for key in _PAIR_SYSTEM if isinstance(raw.get(key), str) and raw[key]]
    more = [raw["input"]] if question == "instruction" and isinstance(raw.get("input"), str) and raw["input"] else []
    read = {*pair, *systems[:1], *(["input"] if question == "instruction" else [])}
    rest = {key: value for key, value in raw.items() if key not in read}
    said = [{"role": "system", "content": raw[key]} for key in systems[:1]]
    asked = {"role": "user", "content": "\n".join([raw[question], *more])}
    listed = [*said, asked, {**rest, "role": "assistant", "content": raw[answer]}]
    own = [weights[1], weights[1], weights[0]][-len(listed) :]
    return [m for each, weight in zip(listed, own, strict=True) for m in read_message(each, at, row, weight)]


def _one_turn(before: Message, calls: Message) -> bool:
    """Tell whether a message of calls can join the assistant message before it without losing a word of its own."""
    alone = not calls.fields["content"] and not any(calls.fields.get(key) for key in REASONING_KEYS)
    return before.role == "assistant" and before.weight == calls.weight and not before.prefix and alone


def _joined(before: Message, calls: Message) -> Message:
    """Return the assistant message ``before`` with the calls of the next message added."""
    listed = [*before.fields.get("tool_calls", []), *calls.fields["tool_calls"]]
    fields = {**calls.fields, **before.fields, "tool_calls": listed}
    return Message(fields, before.weight, (*before.ranges, *calls.ranges), calls.prefix)
