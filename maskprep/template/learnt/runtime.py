r"""What the Python functions call that stand for a template (``code.py``): each gives what the template's filter gives.

Text of one origin is a plain ``str``, with its source beside it. Text of several is ``Tracked``: where a template adds
to a message's text before it takes it apart again, it is made by the very code that renders with origins.

    ('<think>' + m.content).strip('\n')     tracked(('<think>', 0), (v1_1, s1_0)).strip('\n')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from jinja2.filters import do_title

from maskprep.template.strings.origin import CALL_ID, TEMPLATE, shaded
from maskprep.template.strings.printing import concat, to_text, tojson
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import track


class MissError(Exception):
    """A conversation answers a question as none did before that was watched."""


class SlowError(Exception):
    """A conversation is of a kind that is known not to be replayed."""


class Pairs(list[tuple[dict[str, Any], int]]):
    """Messages, each with the source of its content."""

    __slots__ = ()


class Sourced(tuple[Any, int, int]):
    """A value of a message in a namespace: with its source, and what calls it holds (``with_calls``)."""

    __slots__ = ()


def tracked(*pieces: tuple[str, int]) -> Tracked:
    """Return texts joined, each of which comes from the source beside it."""
    return concat([piece if isinstance(piece, Tracked) else Tracked(piece, source) for piece, source in pieces])


def put(text: Tracked, texts: list[str], sources: list[int]) -> None:
    """Add text of several origins to what is written."""
    for piece, source in text.pieces():
        texts.append(piece)
        sources.append(source)


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


def tracked_json(value: Any, source: int, calls: int, options: Mapping[str, Any]) -> Tracked:
    """Return the JSON of a value with the ids of tool calls set apart; ``calls`` as in ``with_calls``."""
    return Tracked(tojson(with_calls(value, source, calls), **options))


def printed(value: Any, source: int, calls: int) -> Tracked:
    """Return a list or a mapping as Python prints it."""
    return Tracked(to_text(with_calls(value, source, calls)))


def with_calls(value: Any, source: int, calls: int) -> Any:
    """Return a value with origins, in which the ids of tool calls have their own.

    ``calls`` tells what the value is: 2 a list of calls, 1 a call, 0 neither.
    """
    copy = track(value, source)
    for call in [copy] if calls == 1 else copy if calls and isinstance(copy, list) else []:
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            call["id"] = Tracked("".join(piece for piece, _ in call["id"].pieces()), shaded(source, CALL_ID))
    return copy


def selected(items: Iterable[Any], name: str, wanted: Callable[[Any], bool], *, keep: bool) -> list[Any]:
    """Return the mappings of which the item ``name`` is wanted, or those of which it is not; none may lack it."""
    return [item for item in items if wanted(_item(item, name)) == keep]


def selected_pairs(pairs: Pairs, name: str, wanted: Callable[[Any], bool], *, keep: bool) -> Pairs:
    """Return the messages of which the field ``name`` is wanted, or those of which it is not; none may lack it."""
    return Pairs(pair for pair in pairs if wanted(_item(pair[0], name)) == keep)


def items_of(items: Iterable[Any], name: str) -> list[Any]:
    """Return the item ``name`` of each mapping."""
    return [_item(item, name) for item in items]


def _item(mapping: Any, name: str) -> Any:
    if type(mapping) is not dict or name not in mapping:
        raise MissError
    return mapping[name]


def joined(pieces: Iterable[Any], between: str, source: int) -> Tracked:
    """Return texts of one source with text of the template's between them."""
    return Tracked(between, TEMPLATE).join([Tracked(_text(piece), source) for piece in pieces])


def run_on(pieces: Iterable[Any]) -> str:
    """Return texts of one source joined without anything between them."""
    return "".join(map(_text, pieces))


def _text(piece: Any) -> str:
    if type(piece) is not str:
        raise MissError
    return piece


def sorted_items(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the items of a mapping as the filter ``dictsort`` orders them."""
    if not all(type(key) is str for key in mapping):
        raise MissError
    return sorted(mapping.items(), key=lambda item: item[0].lower())


def title(text: str) -> str:
    """Return what the filter ``title`` returns, as long as no letter becomes two."""
    made = do_title(text)
    if len(made) != len(text):
        raise MissError
    return made


def same_length(text: str, made: str) -> str:
    """Return a text of which the letters were changed, as long as none became two."""
    if len(made) != len(text):
        raise MissError
    return made
