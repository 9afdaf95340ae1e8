r"""Two messages made into one, so that each character counts in the loss as it did before.

one      "Yes."             weight 0          joined   "Yes.\n\nHow can I help?"   weight 1
two      "How can I help?"  weight 1                    ├ 0 ─┤├0─┤├──── 1 ────┤     ranges
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import Message, Range

_GAP = "\n\n"
_REASONING = ("reasoning_content", "reasoning", "thinking")
_SAID = frozenset({"role", "content", "tool_calls", *_REASONING})


def joined(one: Message, two: Message) -> Message | None:
    """Return two messages, ``one`` in front of ``two``, as one of the role that ``two`` has.

    None where it would change the order in which things were said (text behind a tool call, a thought behind text),
    where other fields of the two disagree, or where weights differ that no range of text can tell apart.
    """
    others = [_others(message) for message in (one, two)]
    if any(others[0][name] != others[1][name] for name in others[0].keys() & others[1].keys()):
        return None
    if two.prefix and one.in_loss:
        return None  # a prefix is given to the model, all of it
    calls = [message.fields.get("tool_calls") or [] for message in (one, two)]
    if calls[0] and (_says(two, "content") or _thought(two)):
        return None
    if _says(one, "content") and _thought(two):
        return None
    if calls[0] and one.weight != two.weight:
        return None
    fields: dict[str, Any] = {**two.fields, **others[0], "role": two.role}
    ranges: list[Range] = []
    for name in _texts(one, two):
        texts = [_text(message, name) for message in (one, two)]
        fields[name] = _GAP.join(filter(None, texts))
        ranges += _ranges(one, two, name, *texts)
    if calls[0]:
        fields["tool_calls"] = [*calls[0], *calls[1]]
    return Message(fields, two.weight, tuple(ranges), two.prefix)


def given_to(message: Message, role: str, trained: Collection[str]) -> Message:
    """Return the text of a message as another role's: not trained where its own role is not, though the other is."""
    if message.role not in trained and role in trained:
        message = replace(message, weight=0.0, ranges=())
    return replace(message, fields={"role": role, "content": message.fields["content"]})


def _others(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.fields.items() if name not in _SAID}


def _texts(one: Message, two: Message) -> Iterator[str]:
    """Yield the names of the text fields that the joined message has."""
    yield "content"
    reasoning = _thought(two) or _thought(one)
    if reasoning:
        yield reasoning


def _thought(message: Message) -> str:
    """Return the name of the field that holds reasoning, empty where there is none."""
    return next((name for name in _REASONING if _says(message, name)), "")


def _text(message: Message, name: str) -> str:
    held = _thought(message) if name in _REASONING else name
    return str(message.fields.get(held, "")) if held else ""


def _says(message: Message, name: str) -> bool:
    return bool(message.fields.get(name))


def _ranges(one: Message, two: Message, name: str, first: str, second: str) -> Iterator[Range]:
    """Yield the ranges of a text that was ``first`` of one message and ``second`` of another."""
    shift = len(first) + len(_GAP) if first and second else len(first)
    if first and one.weight != two.weight:
        yield Range(name, 0, len(first), one.weight)
        if second:
            yield Range(name, len(first), shift, min(one.weight, two.weight))
    for message, by in ((one, 0), (two, shift)):
        for span in message.ranges:
            if _same(span.field, name):
                yield replace(span, field=name, start=span.start + by, end=span.end + by)


def _same(one: str, two: str) -> bool:
    return one == two or (one in _REASONING and two in _REASONING)


def with_calls(message: Message, calls: Sequence[Mapping[str, Any]]) -> Message:
    """Return a message with other tool calls."""
    return replace(message, fields={**message.fields, "tool_calls": [*calls]})
