"""Runs: who wrote which stretch of a string.

text  <|im_start|>hi<|im_end|>
runs  (12, TEMPLATE) (2, source) (10, TEMPLATE)
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Mapping, ValuesView
from types import NoneType
from typing import Any

from jinja2.runtime import Undefined
from jinja2.utils import Namespace

from maskprep.template.strings.origin import MIXED, TEMPLATE

Runs = tuple[tuple[int, int], ...]
"""Pairs ``(length, source)``, lengths above 0 that add up to the text's length, neighbours of different sources."""

_INERT = (bool, int, float, NoneType, Undefined, bytes, slice)


def merge(runs: Iterable[tuple[int, int]]) -> Runs:
    """Join neighbouring runs of one source and drop the empty ones."""
    merged: list[tuple[int, int]] = []
    length = source = 0
    for size, origin in runs:
        if not size:
            continue
        if origin == source:
            length += size
            continue
        if length:
            merged.append((length, source))
        length, source = size, origin
    if length:
        merged.append((length, source))
    return tuple(merged)


def joined(one: Runs, two: Runs) -> Runs:
    """Return the runs of two texts one behind the other."""
    if not (one and two):
        return one or two
    if one[-1][1] != two[0][1]:
        return one + two
    return (*one[:-1], (one[-1][0] + two[0][0], one[-1][1]), *two[1:])


def runs_of(text: str) -> Runs:
    """Return the runs of any string: plain text is the template's; a subclass not of ours has lost its origin."""
    runs: Runs | None = getattr(text, "_runs", None)
    if runs is not None:
        return runs
    if not text:
        return ()
    return ((len(text), TEMPLATE if type(text) is str else MIXED),)


def cut(runs: Runs, start: int, stop: int) -> Runs:
    """Return the runs of the slice ``start:stop`` (0 <= start <= stop <= length)."""
    taken: list[tuple[int, int]] = []
    position = 0
    for size, source in runs:
        end = position + size
        if end > start:
            low = max(position, start)
            high = min(end, stop)
            if high > low:
                taken.append((high - low, source))
        if end >= stop:
            break
        position = end
    return tuple(taken)


def deep_sources(values: Iterable[Any]) -> set[int]:
    """Return the sources of all text and numbers inside ``values``, nested ones included.

    What is inside an object of an unknown kind, nobody knows: it counts as mixed.
    """
    found: set[int] = set()
    stack = [*values]
    seen: set[int] = set()
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        if isinstance(value, str):
            found.update(source for _, source in runs_of(value))
        elif hasattr(value, "_source"):
            found.add(value._source)
            if isinstance(value, Mapping | list):
                seen.add(id(value))
                stack.extend(_inside(value))
        elif isinstance(value, Mapping | list | tuple | set | KeysView | ValuesView | ItemsView):
            seen.add(id(value))
            stack.extend(_inside(value))
        elif isinstance(value, Namespace):
            stack.append(dict(value._Namespace__attrs))
        elif not isinstance(value, _INERT):
            found.add(MIXED)
    return found


def _inside(value: Iterable[Any]) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, Mapping) else [*value]
