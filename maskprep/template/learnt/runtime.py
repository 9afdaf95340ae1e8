r"""What the Python functions call that stand for a template (``code.py``): each gives what the template's filter gives.

Text of one origin is a plain ``str``, with its source beside it. Text of several is ``Tracked``: where a template adds
to a message's text before it takes it apart again, it is made by the very code that renders with origins.

    ('<think>' + m.content).strip('\n')     tracked(('<think>', 0), (v1_1, s1_0)).strip('\n')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2.filters import do_int, do_title
from jinja2.sandbox import MAX_RANGE
from markupsafe import escape

from maskprep.policy import Part
from maskprep.template.inputs import part_of_field
from maskprep.template.sandbox.meter import MOST_BITS
from maskprep.template.strings.filters import TRACKED
from maskprep.template.strings.origin import CALL_ID, TEMPLATE, shaded, source_of
from maskprep.template.strings.origin import lost as lost_of
from maskprep.template.strings.printing import concat, to_text, tojson
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import number, track

CALL, CALLS, OURS, TUPLE = 1, 2, 4, 8
"""The shapes of values, which may be joined: a tool call, a list of calls, a list that the template made, a tuple."""

LONGEST = 4_000_000
"""Characters of a text that a replay makes at most, and items of a list."""

_CONTENT = source_of(0, Part.CONTENT)


class MissError(Exception):
    """A conversation answers a question as none did before that was watched, or makes a text that is too long."""


class SlowError(Exception):
    """A conversation is of a kind that is known not to be replayed."""


class Pairs(list[tuple[dict[str, Any], int]]):
    """Messages, each with the source of its content."""

    __slots__ = ()


class Sourced(tuple[Any, int, int]):
    """A value of a message in a namespace: with its source and its shape."""

    __slots__ = ()


class Absent:
    """What a namespace holds where something undefined was put in."""

    def __bool__(self) -> bool:
        return False


ABSENT = Absent()


# Values with origins


def with_origins(value: Any, source: int, shape: int) -> Any:
    """Return a value as the tracked rendering has it: the ids of tool calls have an origin of their own.

    The brackets of a list that the template has made (``OURS``) are the template's.
    """
    copy = track(value, source)
    calls = [copy] if shape & CALL else copy if shape & CALLS and isinstance(copy, list) else []
    for call in calls:
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            call["id"] = Tracked("".join(piece for piece, _ in call["id"].pieces()), shaded(source, CALL_ID))
    return [*copy] if shape & OURS else copy


def message_with_origins(fields: Mapping[str, Any], source: int) -> dict[str, Any]:
    """Return a message as ``inputs.tracked_message`` does."""
    header = ("role", "name") if fields["role"] == "assistant" else ("role",)
    return {
        Tracked(name): value
        if name in header
        else with_origins(value, source_in(source, name), CALLS if name == "tool_calls" else 0)
        for name, value in fields.items()
    }


def source_in(source: int, field: str) -> int:
    """Return the source of a field of a message, from that of its content."""
    return source + source_of(0, part_of_field(field)) - _CONTENT


def messages_with_origins(pairs: Pairs) -> list[dict[str, Any]]:
    """Return messages as ``inputs.tracked_message`` does."""
    return [message_with_origins(fields, source) for fields, source in pairs]


def lost(source: int) -> int:
    """Return the source of what was computed from text of this source."""
    return lost_of((source,))


# Text


def bounded(text: str) -> str:
    """Return a text that is not too long."""
    if len(text) > LONGEST:
        raise MissError
    return text


def plain(*texts: str) -> str:
    """Return texts joined, without their origins."""
    if sum(map(len, texts)) > LONGEST:
        raise MissError
    return "".join(texts)


def tracked(*pieces: tuple[str, int]) -> Tracked:
    """Return texts joined, each of which comes from the source beside it."""
    if sum(len(piece) for piece, _ in pieces) > LONGEST:
        raise MissError
    return concat([piece if isinstance(piece, Tracked) else Tracked(piece, source) for piece, source in pieces])


def put(text: Tracked, texts: list[str], sources: list[int]) -> None:
    """Add text of several origins to what is written."""
    for piece, source in text.pieces():
        texts.append(piece)
        sources.append(source)


def replaced(text: Tracked, old: str, new: str, count: int = -1) -> Tracked:
    """Return a text in which something is replaced."""
    places = str.count(text, old)
    if len(text) + places * len(new) > LONGEST:
        raise MissError
    return text.replace(old, new, count)


def filtered(name: str, text: str, *args: Any) -> Tracked:
    """Return what the tracked rendering's filter makes of a text with origins."""
    return Tracked(TRACKED[name](text, *args))


def title(text: str) -> str:
    """Return what the filter ``title`` returns, as long as no letter becomes two."""
    return same_length(text, do_title(text))


def same_length(text: str, made: str) -> str:
    """Return a text of which the letters were changed, as long as none became two."""
    if len(made) != len(text):
        raise MissError
    return made


def to_int(value: Any) -> int:
    """Return what the filter ``int`` does."""
    return do_int(value)


def own_int(value: Any) -> Any:
    """Return the number that a value with origins is read as: printed, its digits are lost text of the same origins."""
    return number(do_int(value), value)


def escaped(text: str) -> str:
    """Return a text escaped for HTML."""
    return bounded(str(escape(text)))


# Printed, or as JSON


@cache
def _encoder(options: tuple[tuple[str, Any], ...]) -> Callable[[Any], str]:
    return json.JSONEncoder(**dict(options)).encode


def encoder(options: Mapping[str, Any]) -> Callable[[Any], str]:
    """Return what writes JSON as the filter ``tojson`` does with these options."""
    return _encoder(tuple(sorted({"ensure_ascii": False, **options}.items())))


_KNOWN: dict[int, tuple[Any, str]] = {}
_MOST_KNOWN = 256
_LONGEST_KNOWN = 20_000


def to_json(value: Any) -> str:
    """Return the JSON of a value, as ``tojson`` writes it by itself; a conversation is rendered many times in a row."""
    known = _KNOWN.get(id(value))
    if known is not None and known[0] is value:
        return known[1]
    written = _plain(value)
    if len(written) <= _LONGEST_KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[id(value)] = value, written
    return written


_plain = encoder({})


def tracked_json(value: Any, options: Mapping[str, Any]) -> Tracked:
    """Return the JSON of a value with origins."""
    return Tracked(tojson(value, **options))


def json_of_list(value: list[Any], source: int, options: Mapping[str, Any]) -> Tracked:
    """Return the JSON of a list that the template has made of a message's mappings: it writes what is between them."""
    encode = encoder(options)
    if not value:
        return Tracked("[]", TEMPLATE)
    if not all(type(item) is dict for item in value):
        raise MissError
    indent = options.get("indent")
    comma = (options.get("separators") or (", " if indent is None else ",", ""))[0]
    lead = "" if indent is None else "\n" + (indent if isinstance(indent, str) else " " * indent)
    runs: list[tuple[int, int]] = []
    texts: list[str] = []
    for index, item in enumerate(value):
        before = (comma if index else "[") + lead
        # As the only item of a list it is indented as one of several is.
        text = encode([item])[1 + len(lead) : -1 - (indent is not None)]
        texts += (before, text)
        runs += ((len(before), TEMPLATE), (len(text), source))
    end = "]" if indent is None else "\n]"
    return Tracked.of_runs("".join([*texts, end]), [*runs, (len(end), TEMPLATE)])


def printed(value: Any) -> Tracked:
    """Return a value with origins as Python prints it."""
    return Tracked(to_text(value))


def ranged(*ends: int) -> range:
    """Return a range that is no longer than the sandbox lets one be."""
    numbers = range(*ends)
    if len(numbers) > MAX_RANGE:
        raise MissError
    return numbers


def product(one: float, two: float) -> float:
    """Return a product that is no larger than the sandbox lets a number be."""
    if isinstance(one, int) and isinstance(two, int) and one.bit_length() + two.bit_length() > MOST_BITS:
        raise MissError
    return one * two
