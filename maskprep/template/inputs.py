"""A message as a chat template is given it: with every name that transformers gives it, and with origins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from maskprep.conversation import Message, Range
from maskprep.policy import Part
from maskprep.template.strings.origin import CALL_ID, FIRST_RANGE, shaded, source_of
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import track

_REASONING = ("reasoning_content", "thinking", "reasoning")  # in the order in which transformers looks for them
REASONING_NAMES = (*_REASONING, "thought")
"""The names under which templates look for the reasoning of a message."""
_PARTS = {
    **dict.fromkeys(REASONING_NAMES, Part.REASONING),
    **dict.fromkeys(("tool_calls", "function_call"), Part.TOOL_CALL),
}


_USUAL = 2  # a role and a content


def aliased(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as transformers hands it to a template: reasoning under its two usual names as well."""
    if len(fields) <= _USUAL and "content" in fields:
        return dict(fields)
    reasoning = next((fields[name] for name in _REASONING if fields.get(name) is not None), None)
    if reasoning is None:
        return dict(fields)
    return {"thinking": reasoning, **fields, "reasoning_content": reasoning}


def reasoning_of(fields: Mapping[str, Any]) -> Any:
    """Return the reasoning of a message, under whatever name it stands, None without one."""
    if len(fields) <= _USUAL and "content" in fields:
        return None
    return next((fields[name] for name in REASONING_NAMES if fields.get(name) is not None), None)


def tracked_message(message: Message, index: int) -> dict[str, Any]:
    """Return a message whose texts know that they come from message ``index``.

    The role and an assistant's name are no text of the message: where they are rendered, they are its header.
    """
    header = ("role", "name") if message.role == "assistant" else ("role",)
    return {
        Tracked(name): value if name in header else _field(message, index, name, value)
        for name, value in aliased(message.fields).items()
    }


def part_of_field(name: str) -> Part:
    """Return the part of its message that a field's text belongs to."""
    return _PARTS.get(name, Part.CONTENT)


def _field(message: Message, index: int, name: str, value: Any) -> Any:
    source = source_of(index, part_of_field(name))
    if message.ranges and name == "content" and isinstance(value, list):
        # Of the one part that a content is given as: the ranges count the characters of its text.
        tracked = track(value, source)
        for number, part in enumerate(value):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                tracked[number]["text"] = _ranged(part["text"], message, name, source)
        return tracked
    if message.ranges and isinstance(value, str):
        return _ranged(value, message, name, source)
    tracked = track(value, source)
    if name == "tool_calls" and isinstance(tracked, list):
        for call in tracked:
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                call["id"] = Tracked(str(call["id"]), shaded(source, CALL_ID))
    return tracked


def _ranged(value: str, message: Message, name: str, source: int) -> Tracked:
    """Return a field's text in which each of the message's ranges has an origin of its own."""
    numbered = enumerate(message.ranges, FIRST_RANGE)
    ranges = {number: span for number, span in numbered if _same_field(span.field, name)}
    return Tracked.of_runs(value, _runs(len(value), source, ranges))


def _same_field(one: str, two: str) -> bool:
    return one == two or (one in REASONING_NAMES and two in REASONING_NAMES)


def _runs(length: int, source: int, ranges: Mapping[int, Range]) -> Iterator[tuple[int, int]]:
    """Yield the runs of a text with these ranges: ``(length, source)``; of two that overlap the later one counts."""
    edges = {0, length, *_edges(ranges.values(), length)}
    for start, stop in pairwise(sorted(edges)):
        shade = max((shade for shade, span in ranges.items() if span.start <= start < span.end), default=0)
        yield stop - start, shaded(source, shade)


def _edges(ranges: Iterable[Range], length: int) -> Iterator[int]:
    for span in ranges:
        yield from (min(span.start, length), min(span.end, length))
