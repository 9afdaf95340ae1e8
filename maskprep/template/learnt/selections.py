"""Filters that choose among the items of a list of a row, or take something out of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.lists import holds
from maskprep.template.learnt.opaque import Items, Stream
from maskprep.template.learnt.runtime import CALLS, OURS, Pairs
from maskprep.template.learnt.values import Own, Watched, own
from maskprep.template.learnt.watch import UnlearnableError

_TAKEN = frozenset(name for kind in (dict, str, list, int, float, bool) for name in dir(kind))
_TESTS = {"equalto": "==", "==": "==", "eq": "==", "ne": "!=", "!=": "!=", "in": "in"}
_KINDS = {
    "": "_x",
    "defined": "_x is not ABSENT",
    "undefined": "_x is ABSENT",
    "none": "_x is None",
    "string": "isinstance(_x, str)",
    "mapping": "isinstance(_x, dict)",
}
_CHANGES = {
    "trim": "mapped({0}, lambda _x: _x.strip())",
    "upper": "mapped({0}, lambda _x: same_length(_x, _x.upper()))",
    "lower": "mapped({0}, lambda _x: same_length(_x, _x.lower()))",
    "tojson": "all_json({0})",
}


def _list_of(environment: Watching, value: Any) -> Watched:
    if isinstance(value, Stream):
        value = value.take(environment.watch.scope)
    if isinstance(value, Watched) and value.kind is type(None):
        return value.made("[]", kind=list, shape=OURS)
    if isinstance(value, Items) or value.kind not in (list, Pairs, str):
        raise UnlearnableError("a selection from what is no list")
    chosen: Watched = value
    return chosen


def selecting(*, keep: bool) -> Callable[..., Any]:
    """Return the filter ``selectattr``, or ``rejectattr``."""

    def select(environment: Watching, value: Any, name: Any, test: Any = "", *args: Any) -> Any:
        value = _list_of(environment, value)
        if not _is_name(name) or holds(args) or type(test) is not str:
            raise UnlearnableError("a selection by what is no constant")
        if value.shape & CALLS and name == "id":
            raise UnlearnableError("the ids of tool calls")
        if test in _TESTS and len(args) == 1:
            wanted = f"_x {_TESTS[test]} {{2}}"
        elif test in _KINDS and not args:
            wanted = _KINDS[test]
        else:
            raise UnlearnableError(f"a selection by the test {test}")
        pairs = value.kind is Pairs
        code = f"selected{'_pairs' if pairs else ''}({{0}}, {{1}}, lambda _x: bool({wanted}), keep={keep})"
        kind = value.kind if pairs else list
        made = value.made(code, name, *args, kind=kind, shape=0 if pairs else value.shape & CALLS | OURS)
        return Stream(made, environment.watch.scope)

    return select


def mapping(environment: Watching, value: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what the filter ``map`` does: an entry of each item, or each text changed."""
    value = _list_of(environment, value)
    if not args and kwargs.keys() == {"attribute"}:
        return Stream(by_name(value, kwargs["attribute"]), environment.watch.scope)
    if len(args) == 1 and not kwargs and args[0] in _CHANGES and value.kind is list and not isinstance(value, Own):
        if value.shape & CALLS:
            raise UnlearnableError("tool calls changed one by one")
        return Stream(value.made(_CHANGES[args[0]], kind=list, shape=OURS), environment.watch.scope)
    raise UnlearnableError("the filter map, but for an attribute or a change of texts")


def by_name(value: Watched, name: Any) -> Watched:
    """Return the entry ``name`` of each item of a list."""
    if not _is_name(name) or value.kind not in (list, Pairs) or (value.shape & CALLS and name == "id"):
        raise UnlearnableError("the filter map, but for an attribute")
    if value.kind is Pairs:
        code, made = value.watch.compute("fields_of({0}, {1})", value, name)
        return own(value.watch, code, made, list)
    return value.made("items_of({0}, {1})", name, kind=list, shape=OURS)


def unique(environment: Watching, value: Any) -> Any:
    """Return the texts that differ, as the filter ``unique`` does."""
    value = _list_of(environment, value)
    if value.kind is not list or isinstance(value, Own):
        raise UnlearnableError("different items of what is no list of texts")
    return Stream(value.made("unique({0})", kind=list, shape=OURS), environment.watch.scope)


def _is_name(name: Any) -> bool:
    """Tell whether a name is that of an entry, and of no method that a value has."""
    return type(name) is str and "." not in name and not name.isdigit() and name not in _TAKEN
