"""Rows of turns as a server generated them: the ids that were fed, and those that were sampled.

    {"turns": [{"prompt_token_ids": […], "token_ids": […]}, …]}                 a list: turns, trajectory, steps
    {"prompt_token_ids": […], "response_ids": […], "loss_mask": […]}            one turn
    {"messages": [{"role": "user", …}, {"role": "assistant", "content": …, "prompt_token_ids": […], "token_ids": […]}]}
    {"request": {"messages": […]}, "response": {"prompt_token_ids": […], "choices": [{"message": …, "token_ids": […]}]}}

The ids are what is trained, and what stands before it. Messages, where a row has them, serve to compare the context
with what the chat template gives. A turn of which only ids are known stands as an assistant's message without text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import Message, Sampled
from maskprep.errors import RowError
from maskprep.formats import log
from maskprep.formats.atif import steps_as_messages
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.keys import MEANINGLESS, Speaks, meaningful, speaks_of
from maskprep.formats.names import CALL
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.openai import LISTS
from maskprep.formats.row import InputRow, list_of, unread
from maskprep.formats.row_format import RowFormat
from maskprep.formats.token_ids import TOKEN_FIELDS, TokenFields, read_ids, token_fields
from maskprep.formats.weights import WEIGHT_KEYS, read_weight
from maskprep.policy import Format

_TURNS = ("turns", "trajectory", "steps")
_ANSWERS = ("response", "output", "response_body", "choices")
_TEXTS = ("prompt", "completion", "response", "output", "answer", "text", "query", "question", "instruction", "input")
_HINT = "Give the ids in the message that was generated as them, or as many turns as the assistant has messages."


def _fits(row: InputRow) -> bool:
    fields = row.fields
    if not fields.keys().isdisjoint(TOKEN_FIELDS) and token_fields(fields) is not None:
        return True
    if any(isinstance(fields.get(key), list) and _with_ids(fields[key]) for key in (*_TURNS, *LISTS)):
        return True
    return _answer(row) is not None


def _with_ids(listed: list[Any]) -> bool:
    """Tell whether some element of a list is an object with the ids of a turn."""
    return any(isinstance(each, dict) and token_fields(each) is not None for each in listed)


def _read(row: InputRow) -> Sequence[Message]:
    answer = _answer(row)
    if answer is not None:
        return _of_log(row, *answer)
    name = next((key for key in (*_TURNS, *LISTS) if isinstance(row.get(key), list) and _with_ids(row.get(key))), None)
    if name is None:
        return _of_one_turn(row)
    listed = row.get(name)
    steps = steps_as_messages(listed)
    if steps is not None:
        row.take(name)
        return _of_messages(row, steps, name)
    if any(isinstance(each, dict) and not each.keys().isdisjoint(("role", "from")) for each in listed):
        return _of_messages(row, row.take(name), name)
    return _of_turns(row, row.take(name), name)


def _answer(row: InputRow) -> tuple[str, TokenFields, Any] | None:
    """Return the field of a row that holds a server's answer with ids, these, and the answer without them."""
    name = row.first(_ANSWERS)
    value = row.get(name) if name is not None else None
    around = value if isinstance(value, dict) else row.fields
    choices = around.get("choices")
    if name is None or not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    found = token_fields({**{key: around[key] for key in TOKEN_FIELDS if key in around}, **choices[0]})
    if found is None:
        return None
    choice = {key: each for key, each in choices[0].items() if key in found.rest}
    if not isinstance(value, dict):
        return name, found, [choice]
    left = {key: each for key, each in value.items() if key in found.rest or key not in TOKEN_FIELDS}
    return name, found, {**left, "choices": [choice]}


def _of_log(row: InputRow, name: str, found: TokenFields, answer: Any) -> Sequence[Message]:
    """Return the messages of a request and its answer, which was generated as the ids ``found``."""
    row.fields = {key: each for key, each in row.fields.items() if key not in TOKEN_FIELDS} | {name: answer}
    messages = list(log.FORMAT.read(row))
    sampled = read_ids(found, f"{name}.", in_context=True)
    return [*messages[:-1], _generated(messages[-1], sampled, name)]


def _of_messages(row: InputRow, listed: list[Any], name: str) -> Sequence[Message]:
    """Return the messages of a list, each of the assistant's with the ids that it was generated as, if it has any."""
    turns: list[Sampled | None] = []
    plain = []
    for index, raw in enumerate(listed):
        at = f"{name}[{index}]"
        if not isinstance(raw, dict) or row.names.role(row.names.message(raw), at) not in {"assistant", CALL}:
            plain.append(raw)
            continue
        found = token_fields(raw)
        if found is None and not raw.keys().isdisjoint(_IDS):
            raise RowError("bad-token-ids", f"{at} has not both the ids of its prompt and its own", _HINT)
        turns.append(None if found is None else read_ids(found, f"{at}.", in_context=True))
        plain.append(raw if found is None else {key: each for key, each in found.rest.items() if each != {}})
    return _attached(read_dialogue(plain, name, row), turns, name)


def _of_turns(row: InputRow, listed: list[Any], name: str) -> Sequence[Message]:
    """Return the messages that the turns of a list belong to, or one for each where the row has no messages."""
    other = next((key for key in LISTS if key != name and isinstance(row.get(key), list) and row.get(key)), None)
    turns, weights = [], []
    for index, raw in enumerate(listed):
        found = token_fields(raw) if isinstance(raw, dict) else None
        if found is None and isinstance(raw, dict) and raw.keys().isdisjoint(_IDS):
            _account(row, raw, f"{name}[{index}]")  # a step of somebody else's, in whose place stands the next prompt
            continue
        if found is None:
            raise RowError("bad-token-ids", f"{name}[{index}] has not both the ids of its prompt and its own", _HINT)
        turns.append(read_ids(found, f"{name}[{index}].", in_context=other is not None))
        given = read_weight(found.rest, f"{name}[{index}]")
        weights.append(1.0 if given is None else given)
        _account(row, found.rest, f"{name}[{index}]")
    if other is None:
        return [_bare(each, weight) for each, weight in zip(turns, weights, strict=True)]
    messages = iter(_attached(read_dialogue(row.take(other), other, row), turns, other))
    own = iter(weights)
    return [replace(each, weight=each.weight * next(own)) if each.sampled else each for each in messages]


def _of_one_turn(row: InputRow) -> Sequence[Message]:
    """Return the one turn of a row that holds its ids, behind the messages of its prompt where the row has them."""
    found = token_fields(row.fields)
    if found is None:
        raise RowError("missing-field", "the row has not both the ids of a prompt and those of its completion", _HINT)
    for each in (found.prompt, found.completion, found.mask, found.logprobs):
        if each is not None:
            row.take(each[0])
    for key in ("metrics", "tokens"):
        row.take(key)
    asked = next((key for key in (*LISTS, "prompt") if _are_messages(row.get(key))), None)
    before = read_dialogue(row.take(asked), asked, row, (0.0, 1.0)) if asked is not None else []
    for key in row.saying(_TEXTS):  # the ids say it exactly
        if key != asked:
            row.take(key)
            row.note_unread(key)
    sampled = read_ids(found, "", in_context=bool(before))
    if before and before[-1].role == "assistant":
        return [*before[:-1], _generated(replace(before[-1], weight=1.0), sampled, str(asked))]
    return [*before, _bare(sampled, 1.0)]


def _are_messages(value: object) -> bool:
    value = unwrapped(value) if isinstance(value, str) and value.lstrip().startswith("[{") else value
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and "role" in each for each in value)


def _attached(messages: Sequence[Message], turns: Sequence[Sampled | None], name: str) -> list[Message]:
    """Return messages of which the assistant's, in their order, were generated as these ids."""
    said = sum(message.role == "assistant" for message in messages)
    if said != len(turns):
        text = f"{name} has {said} turns of the assistant's, and there are the ids of {len(turns)}"
        raise RowError("bad-token-ids", text, _HINT)
    own = iter(turns)
    made = []
    for index, message in enumerate(messages):
        sampled = next(own) if message.role == "assistant" else None
        made.append(message if sampled is None else _generated(message, sampled, f"{name}[{index}]"))
    return made


def _generated(message: Message, sampled: Sampled, at: str) -> Message:
    """Return a message with the ids that it was generated as."""
    if message.ranges or message.prefix:
        hint = "Give loss_mask, with a number for each id of the completion."
        raise RowError("bad-range", f"{at} marks characters of a turn that was sampled as ids", hint)
    return replace(message, sampled=sampled)


def _bare(sampled: Sampled, weight: float) -> Message:
    return Message({"role": "assistant", "content": ""}, weight, sampled=sampled)


def _account(row: InputRow, rest: Mapping[str, Any], at: str) -> None:
    """Note the keys of a turn that nothing reads: its texts repeat what its ids say exactly. Raises RowError."""
    for key in meaningful(rest.keys() - set(WEIGHT_KEYS), rest):
        if speaks_of(key, rest[key], in_message=True) is Speaks.LOSS:
            raise unread(key, rest[key], Speaks.LOSS, f"{at}.")
        row.note_unread(f"{list_of(at)}[].{key}")


_IDS = frozenset({"prompt_token_ids", "token_ids", "completion_token_ids", "response_ids", "completion_ids"})

_FIELDS = tuple(key for key in TOKEN_FIELDS if key not in MEANINGLESS)  # `logprobs` says nothing in other rows

FORMAT = RowFormat(Format.TOKENS, (*_FIELDS, *_TURNS, *LISTS, *_ANSWERS, *_TEXTS), _fits, _read)
