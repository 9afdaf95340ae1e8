"""Texts of the template's with places for values: ``'%s: %s' % (a, b)``, ``'{}: {}'.format(a, b)``.

They are taken apart, so that each value stands there by itself: ``['', a, ': ', b]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.values import Joined, Watched
from maskprep.template.learnt.watch import UnlearnableError

_PLACE = re.compile(r"%(?:\((?P<name>[^()]*)\))?(?P<kind>.)", re.DOTALL)


def percent(environment: Watching, template: Any, values: Any) -> Any:
    """Return ``template % values``."""
    if type(template) is not str:
        raise UnlearnableError("a format that is no constant")
    return join_pieces(environment.watch, list(_percent_pieces(environment, template, values)))


def _percent_pieces(environment: Watching, template: str, values: Any) -> Iterator[Any]:
    ordered = iter(values if isinstance(values, tuple) else (values,))
    position = 0
    by_name = False
    for place in _PLACE.finditer(template):
        yield template[position : place.start()]
        position = place.end()
        if place["kind"] == "%":
            if place["name"] is not None:
                raise UnlearnableError("a format that is none")
            yield "%"
            continue
        if place["name"] is not None:
            by_name = True
            value = _named(values, place["name"])
        else:
            value = next(ordered, _NONE)
        if value is _NONE or place["kind"] not in "sd" or (place["kind"] == "d" and not _is_int(value)):
            raise UnlearnableError("a format for something else than texts")
        yield environment.to_text(value)
    if "%" in template[position:] or (not by_name and next(ordered, _NONE) is not _NONE):
        raise UnlearnableError("a format with other places than values")
    yield template[position:]


_NONE = object()


def _named(values: Any, name: str) -> Any:
    if type(values) is not dict or name not in values:
        raise UnlearnableError("a format by names without a mapping")
    return values[name]


def _is_int(value: Any) -> bool:
    if isinstance(value, Joined):
        return False
    return (value.kind if isinstance(value, Watched) else type(value)) is int


def format_filter(environment: Watching, value: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what the filter ``format`` does."""
    return percent(environment, value, kwargs or args)


def format_method(environment: Watching, template: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return ``template.format(*args, **kwargs)``."""
    pieces: list[Any] = []
    automatic = 0
    for literal, name, spec, conversion in Formatter().parse(template):
        pieces.append(literal)
        if name is None:
            continue
        if spec or conversion:
            raise UnlearnableError("a format for something else than texts")
        if not name:
            name, automatic = str(automatic), automatic + 1  # noqa: PLW2901 - numbered
        elif name.isdigit() and automatic:
            raise UnlearnableError("a format with places numbered and not")
        if name.isdigit() and int(name) < len(args):
            pieces.append(environment.to_text(args[int(name)]))
        elif name in kwargs:
            pieces.append(environment.to_text(kwargs[name]))
        else:
            raise UnlearnableError("a format with other places than values")
    return join_pieces(environment.watch, pieces)
