"""Jinja's filters with the origin of what they make; the rest of them wrapped, so that none launders text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import jinja2
from jinja2.filters import do_format, do_title
from jinja2.nodes import EvalContext
from jinja2.runtime import Context

from maskprep.template.strings.markup import TrackedMarkup, escape_html
from maskprep.template.strings.origin import lost
from maskprep.template.strings.percent import percent
from maskprep.template.strings.printing import to_text, tojson
from maskprep.template.strings.runs import deep_sources
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import number, untrack


def mark(text: str, inputs: tuple[Any, ...]) -> Tracked:
    """Return ``text``, marked as lost: it was computed from ``inputs`` in an unknown way."""
    kind = TrackedMarkup if hasattr(text, "__html__") else Tracked
    return kind("".join(piece for piece, _ in Tracked(text).pieces()), lost(deep_sources(inputs)))


def _data(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a filter's arguments without those that Jinja itself passes: the environment or a context."""
    return tuple(item for item in arguments if not isinstance(item, jinja2.Environment | Context | EvalContext))


def lossy(function: Callable[..., Any], *more: Any) -> Callable[..., Any]:
    """Wrap a function so that the text it makes of tracked text is marked as lost."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*map(untrack, args), **{name: untrack(value) for name, value in kwargs.items()})
        return mark(result, (*_data(args), kwargs, *more)) if isinstance(result, str) else result

    return wrapped


def computed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that the number it makes of tracked text is no text of the template's when it is printed."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return number(function(*args, **kwargs), *_data(args), kwargs)

    return wrapped


def _text_of(value: Any) -> Tracked:
    return Tracked(to_text(value))


def _soft(value: Any) -> Tracked:
    """Return the text of a value, markup as markup: jinja2's ``soft_str``."""
    return value if isinstance(value, TrackedMarkup) else _text_of(value)


@jinja2.pass_context
def _join(context: Context, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = context.environment.call_filter("map", value, kwargs={"attribute": attribute}, context=context)
    return _text_of(d).join(to_text(item) for item in value)


def _escape(value: Any) -> TrackedMarkup:
    return value if isinstance(value, TrackedMarkup) else escape_html(to_text(value))


def _replace(s: Any, old: Any, new: Any, count: int | None = None) -> str:
    return _text_of(s).replace(to_text(old), to_text(new), -1 if count is None else count)


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 - jinja2's own signature
    indention = _text_of(width if isinstance(width, str) else " " * width)
    newline = Tracked("\n")
    lines = (_text_of(s) + newline).splitlines()
    head, rest = lines[0], lines[1:]
    if blank:
        text = newline.join([head, *(indention + line for line in rest)])
    else:
        text = newline.join([head, *(indention + line if line else line for line in rest)])
    return indention + text if first else text


def _title(value: Any) -> str:
    text = _text_of(value)
    plain = do_title(text)
    # Jinja's title changes letters where they stand, but for the rare one that becomes two.
    return Tracked._make(plain, text._runs) if len(plain) == len(text) else mark(plain, (text,))


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if isinstance(value, TrackedMarkup):
        formatted: str = lossy(do_format)(value, *args, **kwargs)
        return formatted
    return percent(_text_of(value), kwargs or args, do_format(value, *args, **kwargs))


TRACKED: Mapping[str, Callable[..., Any]] = {
    "tojson": tojson,
    "string": _soft,
    "format": _format,
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "trim": lambda value, chars=None: _soft(value).strip(chars),
    "upper": lambda value: _soft(value).upper(),
    "lower": lambda value: _soft(value).lower(),
    "capitalize": lambda value: _soft(value).capitalize(),
    "title": _title,
    "safe": lambda value: TrackedMarkup(_text_of(value)),
    "escape": _escape,
    "e": _escape,
}

# A length or a count is no text of anybody's; a number read out of a text is.
COMPUTING = frozenset({"abs", "float", "int", "round", "sum"})

# Filters of jinja2 that hand on what they are given, or that give no text, read in jinja2 3.1.6.
KEEPING = frozenset(
    {
        *("attr", "batch", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "list"),
        *("map", "max", "min", "random", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "sort"),
        *("truncate", "unique", "wordcount"),
    }
)
