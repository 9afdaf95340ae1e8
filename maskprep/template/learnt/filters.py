"""The filters that a watched template may use on a value of a row, and what each stands for.

What is not here a template may use on its own constants alone: on a value of a row, that row is not learnt from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from jinja2.filters import do_default
from jinja2.runtime import Undefined

from maskprep.template.learnt import formats, lookups, printing, selections, text_filters
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.lists import as_own, holds
from maskprep.template.learnt.loops import items_of
from maskprep.template.learnt.opaque import Items, Stream
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.learnt.sequences import join, list_of
from maskprep.template.learnt.values import Fact, Joined, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked

Wrapped = Callable[..., Any]

_HARMLESS = frozenset({"length", "count", "list", "first", "last", "items"})
"""Filters that look at no item of a list or mapping of the template's."""


def watching(environment: Watching, name: str, plain: Wrapped) -> Wrapped:
    """Return filter ``name``, which may be used on values of a row."""

    @wraps(plain)
    def watched(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if hasattr(plain, "jinja_pass_arg") else args
        if not holds(given) and not holds([*kwargs.values()]):
            return plain(*args, **kwargs)
        value, *rest = given
        if type(value) in (list, tuple, dict):
            if name in _HARMLESS and not rest and not kwargs:
                return plain(*args)
            if name not in _ON_LISTS:
                value = as_own(value, environment.watch)
        if isinstance(value, Joined) and name not in _ON_JOINED:
            value = value.tracked()
        if isinstance(value, Stream) and name not in _ON_STREAMS:
            raise UnlearnableError(f"the filter {name} on what is gone through but once")
        function = _FILTERS.get(name)
        if function is None or (type(value) is str and name not in _ON_CONSTANTS):
            raise UnlearnableError(f"the filter {name} on a value of a row")
        return function(environment, value, *rest, **kwargs)

    return watched


# Filters: (environment, value, further arguments)


def _length(_environment: Watching, value: Any) -> Any:
    if isinstance(value, Items):
        return value.mapping.told("len({0})")
    if value.kind not in (str, list, dict, Pairs, Tracked):
        raise UnlearnableError("the length of what has none")
    return value.told("len({0})")


def _default(_environment: Watching, value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - jinja2's own signature
    if isinstance(value, Watched | Joined | Items | Stream):
        return value if not boolean or value else default_value
    return do_default(value, default_value, boolean)


def _edge(index: int) -> Wrapped:
    def edge(environment: Watching, value: Any) -> Any:
        if isinstance(value, Stream):
            if index:
                raise UnlearnableError("the last of what is gone through but once")
            value = list_of(environment, value)
        if not isinstance(value, Watched) or value.kind not in (list, Pairs, str, Tracked):
            raise UnlearnableError("the first of what is no list")
        found = lookups.item(environment, value, index)
        return environment.undefined("No first item, sequence was empty.") if isinstance(found, Undefined) else found

    return edge


def _items(environment: Watching, value: Any) -> Any:
    if value.kind is not dict:
        raise UnlearnableError("the items of what is no mapping")
    return Stream(items_of(value, "items"), environment.watch.scope)


def _dictsort(
    _environment: Watching,
    value: Any,
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - jinja2's own signature
    by: str = "key",
    reverse: bool = False,  # noqa: FBT001, FBT002
) -> Any:
    if value.kind is not dict or case_sensitive or by != "key" or reverse:
        raise UnlearnableError("the items of a mapping in an order of their own")
    return items_of(value, "sorted")


def _reverse(environment: Watching, value: Any) -> Any:
    if isinstance(value, Stream):
        value = list_of(environment, value)
    if value.kind in (str, Tracked):
        return value[slice(None, None, -1)]
    if value.kind not in (list, Pairs):
        raise UnlearnableError("what is no list, backwards")
    return Stream(value[slice(None, None, -1)], environment.watch.scope)


def _extreme(name: str) -> Wrapped:
    def choose(environment: Watching, value: Any) -> Any:
        items = value if type(value) in (list, tuple) else []
        if not items or not all(each.is_number if isinstance(each, Watched) else type(each) is int for each in items):
            raise UnlearnableError(f"the {name} of what are no numbers of the template's")
        code, found = environment.watch.compute(f"{name}({', '.join(f'{{{i}}}' for i in range(len(items)))})", *items)
        return Fact(environment.watch, f"({code})", found)

    return choose


_FILTERS: dict[str, Wrapped] = {
    "min": _extreme("min"),
    "max": _extreme("max"),
    **text_filters.FILTERS,
    "length": _length,
    "count": _length,
    "default": _default,
    "d": _default,
    "list": list_of,
    "first": _edge(0),
    "last": _edge(-1),
    "items": _items,
    "dictsort": _dictsort,
    "map": selections.mapping,
    "selectattr": selections.selecting(keep=True),
    "rejectattr": selections.selecting(keep=False),
    "unique": selections.unique,
    "reverse": _reverse,
    "join": join,
    "format": formats.format_filter,
    "tojson": lambda environment, value, **options: printing.json_of(environment, value, options),
}
_ON_LISTS = frozenset({"min", "max", "join", "tojson", "default", "d", "string", "safe"})
_ON_JOINED = frozenset({"trim", "string", "default", "d", "tojson", "safe"})
_ON_STREAMS = frozenset(
    {"list", "first", "join", "default", "d", "reverse", "map", "selectattr", "rejectattr", "unique"}
)
_ON_CONSTANTS = frozenset({"replace", "default", "d", "format", "join"})
