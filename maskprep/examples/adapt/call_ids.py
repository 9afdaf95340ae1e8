"""Ids of tool calls as nine letters and digits, for templates that take no others."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from maskprep.conversation import Conversation, Finding, Message
from maskprep.examples.adapt.joining import with_calls

_LENGTH = 9
_FITS = re.compile(rf"[a-zA-Z0-9]{{{_LENGTH}}}")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def shorten_ids(conversation: Conversation) -> Conversation:
    """Return the conversation with ids of nine letters and digits, the same in a call and in its result.

    An id is made of the one that the data has, of the call itself where it has none; ids that fit stay. Results
    without an id belong to the calls before them in their order.
    """
    paired = _paired(conversation.messages)
    used = dict.fromkeys(_ids(paired))
    short = {id_: id_ for id_ in used if _FITS.fullmatch(id_)}
    taken = set(short)
    for id_ in used:
        if id_ not in short:
            short[id_] = _made(id_, taken)
            taken.add(short[id_])
    messages = tuple(_renamed(message, short) for message in paired)
    if messages == conversation.messages:
        return conversation
    finding = Finding("tool-call-ids-shortened", "ids of tool calls became ids of nine letters and digits")
    return replace(conversation, messages=messages, findings=(*conversation.findings, finding))


def _paired(messages: tuple[Message, ...]) -> list[Message]:
    """Return messages in which every call has an id, and every result that of its call."""
    found: list[Message] = []
    place = -1
    for number, message in enumerate(messages):
        found.append(message)
        if message.role == "tool" and place >= 0:
            continue
        if place >= 0:
            _pair(found, place, number)
        place = number if message.fields.get("tool_calls") else -1
    if place >= 0:
        _pair(found, place, len(found))
    return found


def _pair(messages: list[Message], place: int, end: int) -> None:
    """Give ids to the calls of message ``place`` and to their results, the messages behind it up to ``end``."""
    calls = [dict(call) for call in messages[place].fields["tool_calls"]]
    results = range(place + 1, end)
    given = {index: _id(messages[index].fields.get("tool_call_id")) for index in results}
    known = {_id(call.get("id")) for call in calls} - {""}
    # A result whose id no call has, or that has none, answers the next call that no result names.
    strays = [index for index in results if given[index] not in known]
    named = {given[index] for index in results} & known
    waiting = [number for number, call in enumerate(calls) if _id(call.get("id")) not in named]
    for index, number in zip(strays, waiting, strict=False):
        own = _id(calls[number].get("id")) or given[index] or _text(calls[number], number)
        calls[number]["id"] = own
        messages[index] = _answering(messages[index], own)
    for number, call in enumerate(calls):
        call["id"] = _id(call.get("id")) or _text(call, number)
    if calls != messages[place].fields["tool_calls"]:
        messages[place] = with_calls(messages[place], calls)


def _id(value: object) -> str:
    return "" if value is None or isinstance(value, bool) else str(value)


def _text(call: dict[str, Any], number: int) -> str:
    """Return what the id of a call is made of that has none."""
    return f"{number} {json.dumps(call, sort_keys=True, ensure_ascii=True, default=str)}"


def _ids(messages: list[Message]) -> Iterator[str]:
    for message in messages:
        yield from (str(call["id"]) for call in message.fields.get("tool_calls") or ())
        if message.fields.get("tool_call_id") is not None:
            yield _id(message.fields["tool_call_id"])


def _made(id_: str, taken: set[str]) -> str:
    """Return nine letters and digits that are decided by ``id_``, and are not ``taken``."""
    for attempt in count():
        seed = f"{attempt} {id_}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(seed, digest_size=16).digest())
        made = ""
        for _ in range(_LENGTH):
            number, letter = divmod(number, len(_LETTERS))
            made += _LETTERS[letter]
        if made not in taken:
            return made
    raise AssertionError  # there are more of them than a row can have


def _renamed(message: Message, short: dict[str, str]) -> Message:
    calls = message.fields.get("tool_calls")
    if calls:
        return with_calls(message, [{**call, "id": short[call["id"]]} for call in calls])
    given = _id(message.fields.get("tool_call_id"))
    return _answering(message, short[given]) if given and short[given] != given else message


def _answering(message: Message, id_: str) -> Message:
    return replace(message, fields={**message.fields, "tool_call_id": id_})
