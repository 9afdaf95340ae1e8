"""Whether a template's variables are what they were when an earlier rendering came to the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from jinja2.runtime import Macro, Undefined
from jinja2.utils import Namespace

from maskprep.template.strings.message_list import Messages
from maskprep.template.strings.runs import runs_of
from maskprep.template.strings.values import TrackedDict, TrackedList

MOST_VALUES = 2_000
"""The most values, nested ones counted, that a template's variables may hold to be compared."""


class Begun(Protocol):
    """A loop of an earlier rendering, as it began: the variables, the namespaces among them, and what these held."""

    variables: dict[str, Any]
    namespaces: list[Namespace]
    held: tuple[dict[str, Any], ...]


class StateComparison:
    """Whether the variables of a template are what they were when an earlier run began a loop."""

    def __init__(self, loop: Begun) -> None:
        self._loop = loop
        self._left = MOST_VALUES
        self._pairs: list[tuple[Namespace, Namespace]] = []

    def namespaces(self, variables: Mapping[str, Any]) -> list[Namespace] | None:
        """Return the namespaces among ``variables``, in the order of the loop's; None where any variable differs."""
        before = self._loop.variables
        if before.keys() != variables.keys():
            return None
        theirs = self._loop.namespaces
        own = [variables[name] for name, value in before.items() if isinstance(value, Namespace)] if theirs else []
        if not all(isinstance(namespace, Namespace) for namespace in own):
            return None
        # One namespace under two names must be one here as well.
        if len({*map(id, own)}) != len(own) or len({*map(id, theirs)}) != len(theirs):
            return None
        held = zip(self._loop.held, map(attributes, own), strict=True)
        if not all(self._alike(*pair) for pair in held):
            return None
        for name, value in before.items():
            now = variables[name]
            if now is not value and not isinstance(value, Namespace) and not self._alike(value, now):
                return None
        return own

    def _alike(self, one: Any, two: Any) -> bool:
        self._left -= 1
        if self._left < 0 or type(one) is not type(two):
            return False
        match one:
            case str():
                alike = one is two or (str.__eq__(one, two) and runs_of(one) == runs_of(two))
            case None | int() | float():
                alike = repr(one) == repr(two) and getattr(one, "_source", 0) == getattr(two, "_source", 0)
            case Messages():
                alike = one.same(two)
            case Undefined():
                alike = one._undefined_name == two._undefined_name and one._undefined_hint == two._undefined_hint
            case Macro():
                # All that it can see of the template beside its arguments are the variables that are compared here.
                alike = one._func.__code__ is two._func.__code__
            case _ if type(one) in (dict, list, tuple):
                alike = one is two or self._all_alike(one, two)
            case _:
                alike = one is two and isinstance(one, TrackedDict | TrackedList)
        return alike

    def _all_alike(self, one: Any, two: Any) -> bool:
        if len(one) != len(two):
            return False
        if isinstance(one, dict):
            return all(map(self._alike, one, two)) and all(map(self._alike, one.values(), two.values()))
        return all(map(self._alike, one, two))


def fixed(value: Any, budget: list[int]) -> bool:
    """Tell whether nothing can change a value that a namespace holds, nor any rendering add to it."""
    budget[0] -= 1
    if budget[0] < 0:
        return False
    if value is None or isinstance(value, str | bool | int | float | Undefined | TrackedDict | TrackedList):
        return True
    if type(value) is dict:
        return all(fixed(item, budget) for pair in value.items() for item in pair)
    return type(value) in (list, tuple) and all(fixed(item, budget) for item in value)


def attributes(namespace: Namespace) -> dict[str, Any]:
    """Return the mapping, not a copy, in which a namespace holds its attributes."""
    found: dict[str, Any] = namespace._Namespace__attrs
    return found
