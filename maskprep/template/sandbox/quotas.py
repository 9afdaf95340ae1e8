# ruff: noqa: ARG001 - all checks of one kind take the same
"""The checks that run before an operator, a method or a filter: what it would make, told from its arguments.

    {{ 'x' * 10**10 }}        check_operator   1 * 10**10 bytes               Exceeded
    {{ 'x'.ljust(10**10) }}   _width           10**10 bytes                   Exceeded
    {{ s.replace('a', s) }}   _replaced        places of 'a' times len(s)     Exceeded, for a long s of a's

A check returns the arguments, with what can be read only once (an iterator, say) as a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

import jinja2
from jinja2.nodes import EvalContext
from jinja2.runtime import Context

from maskprep.template.sandbox.meter import Meter

_PERCENT = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")
_DIGITS = re.compile(r"\d+")
_MOST_INDENT = 100
_MOST_PRECISION = 400


def check_operator(meter: Meter, operator: str, left: Any, right: Any) -> None:
    """Ask the meter for what ``left * right``, ``left ** right`` or ``left % right`` would make."""
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        meter.number(left.bit_length() * max(right, 0))
    elif operator == "*":
        if isinstance(left, int) and isinstance(right, int):
            meter.number(left.bit_length() + right.bit_length())
        for many, count in ((left, right), (right, left)):
            if isinstance(many, Sized) and isinstance(count, int):
                meter.allow(len(many) * max(count, 0) * (1 if isinstance(many, str | bytes) else 8))
    elif operator == "%" and isinstance(left, str | bytes):
        _check_percent(meter, left, right)


def _check_percent(meter: Meter, template: str | bytes, values: Any) -> None:
    text = template if isinstance(template, str) else template.decode("latin-1")
    given = [*values.values()] if isinstance(values, Mapping) else [*values] if isinstance(values, tuple) else [values]
    for widths in _PERCENT.findall(text):
        for width in widths:
            if width == "*":
                meter.allow(max((value for value in given if isinstance(value, int)), default=0))
            elif width:
                meter.allow(_number(width))
    _check_places(meter, text.count("%"), given)


def check_format(meter: Meter, template: str, values: list[Any]) -> None:
    """Ask the meter for what ``template.format(*values)`` would make."""
    for digits in _DIGITS.findall(template):
        meter.allow(_number(digits))
    inside = [item for value in values for item in (value.values() if isinstance(value, Mapping) else [value])]
    if re.search(r"\{[^{}]*:[^{}]*\{", template):
        meter.allow(max((value for value in inside if isinstance(value, int)), default=0))
        for value in inside:
            for digits in _DIGITS.findall(value) if isinstance(value, str) else ():
                meter.allow(_number(digits))
    _check_places(meter, template.count("{"), inside)


def _check_places(meter: Meter, places: int, values: list[Any]) -> None:
    meter.printed(*values)
    longest = max((len(value) for value in values if isinstance(value, str | bytes)), default=0)
    if places * longest > meter.limit:
        meter.allow(places * longest)


def _number(digits: str) -> int:
    return int(digits[:18])


# Methods of strings, and of whatever else has one of these names: (meter, owner, arguments) to arguments

CallArguments = tuple[Any, ...]


def _width(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if args and isinstance(args[0], int):
        meter.allow(args[0])
    return args


def _tabs(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if args and isinstance(args[0], int) and isinstance(owner, str):
        meter.allow(owner.count("\t") * max(args[0], 0))
    return args


def _replaced(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if isinstance(owner, str) and len(args) > 1 and isinstance(args[0], str) and isinstance(args[1], str):
        places = str.count(owner, args[0])
        if places * len(args[1]) > len(owner):
            meter.allow(len(owner) + places * len(args[1]))
    return args


def _joined(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if not isinstance(owner, str | bytes) or len(args) != 1:
        return args
    pieces = list(args[0])
    meter.allow(sum(len(piece) for piece in pieces if isinstance(piece, str | bytes)) + len(owner) * len(pieces))
    return (pieces,)


def _translated(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if args and isinstance(args[0], Mapping) and isinstance(owner, str):
        longest = max((len(value) for value in args[0].values() if isinstance(value, str)), default=0)
        meter.allow(longest * len(owner))
    return args


def _sought(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    """Ask the meter for the steps of a search from the right, or for a set of characters: Python tries each place."""
    if args and isinstance(owner, str) and isinstance(args[0], str):
        meter.steps(len(owner) * len(args[0]))
    return args


def _compared(meter: Meter, owner: Any, args: CallArguments) -> CallArguments:
    if not isinstance(owner, str | bytes):
        meter.printed(owner, *args)
    return args


METHODS: Mapping[str, Callable[[Meter, Any, CallArguments], CallArguments]] = {
    **dict.fromkeys(("ljust", "rjust", "center", "zfill", "to_bytes"), _width),
    **dict.fromkeys(("rfind", "rindex", "rsplit", "rpartition", "strip", "lstrip", "rstrip"), _sought),
    **dict.fromkeys(("index", "count", "get"), _compared),
    "expandtabs": _tabs,
    "replace": _replaced,
    "join": _joined,
    "translate": _translated,
}


# Filters: (meter, arguments, named arguments) to arguments


def _own(args: CallArguments) -> int:
    """Return how many of a filter's first arguments Jinja itself passes: the environment or a context, or none."""
    return int(bool(args) and isinstance(args[0], jinja2.Environment | Context | EvalContext))


def _printing(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    meter.printed(*args[_own(args) :], *kwargs.values())
    return args


def _numbers(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    """Ask the meter for as many bytes as any number says that a filter is given: it pads to that length."""
    for value in (*args[_own(args) + 1 :], *kwargs.values()):
        if isinstance(value, int):
            meter.allow(value)
    return _printing(meter, args, kwargs)


def _indented(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    own = _own(args)
    text = args[own] if len(args) > own and isinstance(args[own], str) else ""
    for value in (*args[own + 1 :], *kwargs.values()):
        width = len(value) if isinstance(value, str) else value if isinstance(value, int) else 0
        if width > _MOST_INDENT:
            meter.allow(width * (text.count("\n") + 2))
    return _printing(meter, args, kwargs)


def _as_json(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    for value in (*args[_own(args) + 1 :], *kwargs.values()):
        if isinstance(value, int) and value > _MOST_INDENT:
            meter.allow(value * meter.limit)
        if isinstance(value, str | tuple) and sum(map(len, value)) > _MOST_INDENT:
            meter.allow(sum(map(len, value)) * meter.limit)
    return _printing(meter, args, kwargs)


def _wrapped(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    texts = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
    if len(texts) > 1:
        meter.allow(len(texts[0]) * max(map(len, texts[1:])))
    return args


def _filled(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    for value in (*args[_own(args) + 1 :], *kwargs.values()):
        if isinstance(value, int):
            meter.allow(value * 8)
    return args


def _percent(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    if args and isinstance(args[0], str):
        _check_percent(meter, args[0], dict(kwargs) or args[1:])
    return args


def _replacing(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    own = _own(args)
    given = (*args[own:], *(kwargs[name] for name in ("old", "new") if name in kwargs))
    meter.printed(*given)
    if given:
        _replaced(meter, *([given[0], given[1:]]))
    return args


def _joining(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    own = _own(args)
    if len(args) <= own or isinstance(args[own], str):
        return args
    pieces = list(args[own])
    meter.printed(pieces)
    between = args[own + 1] if len(args) > own + 1 else kwargs.get("d", "")
    if isinstance(between, str):
        meter.allow(len(between) * len(pieces))
    return (*args[:own], pieces, *args[own + 1 :])


def _rounding(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, int) and value > _MOST_PRECISION:
            meter.number(value * 10)
    return args


def _summing(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    own = _own(args)
    # One by one, so that the timer is heard between them.
    return (*args[:own], _one_by_one(args[own]), *args[own + 1 :]) if len(args) > own else args


def _one_by_one(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:  # noqa: UP028 - within a `yield from` no timer is heard
        yield value


def _stripping(meter: Meter, args: CallArguments, kwargs: Mapping[str, Any]) -> CallArguments:
    texts = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
    if len(texts) > 1:
        meter.steps(len(texts[0]) * len(texts[1]))
    return _printing(meter, args, kwargs)


FILTERS: Mapping[str, Callable[[Meter, CallArguments, Mapping[str, Any]], CallArguments]] = {
    **dict.fromkeys(("string", "pprint", "xmlattr", "urlencode", "escape", "e", "forceescape", "safe"), _printing),
    **dict.fromkeys(
        ("upper", "lower", "capitalize", "title", "striptags", "wordcount", "urlize", "truncate"), _printing
    ),
    **dict.fromkeys(("sort", "unique", "groupby", "min", "max", "dictsort"), _printing),
    "center": _numbers,
    "indent": _indented,
    "tojson": _as_json,
    "wordwrap": _wrapped,
    "batch": _filled,
    "slice": _filled,
    "format": _percent,
    "replace": _replacing,
    "join": _joining,
    "round": _rounding,
    "sum": _summing,
    "trim": _stripping,
}
