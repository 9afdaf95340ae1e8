"""The values of messages as a template gets them: JSON whose texts, numbers and punctuation know whose they are.

Booleans and null are single objects of Python's: they cannot carry an origin. Printed on their own they count as the
template's; inside a list or mapping that is printed they take the origin of that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maskprep.template.strings.origin import lost
from maskprep.template.strings.runs import deep_sources
from maskprep.template.strings.string import Tracked


class TrackedInt(int):
    """An integer of a message, so that its digits are the message's when a template prints it."""

    _source: int

    def __repr__(self) -> str:
        return Tracked(int.__repr__(self), self._source)

    __str__ = __repr__


class TrackedFloat(float):
    """A number of a message, so that its digits are the message's when a template prints it."""

    _source: int

    def __repr__(self) -> str:
        return Tracked(float.__repr__(self), self._source)

    __str__ = __repr__

    def hex(self) -> str:
        return Tracked(float.hex(self), lost((self._source,)))


class TrackedList(list[Any]):
    """A list of a message: its brackets and commas are the message's when a template prints it."""

    __slots__ = ("_source",)
    _source: int


class TrackedDict(dict[str, Any]):
    """A mapping of a message: its punctuation is the message's when a template prints it.

    ``_printed`` holds its JSON, by how that was asked for.
    """

    __slots__ = ("_printed", "_source")
    _source: int
    _printed: dict[tuple[Any, ...], Tracked]


def track(value: Any, source: int) -> Any:
    """Return a deep copy of JSON ``value`` in which every text and number comes from ``source``."""
    if isinstance(value, str):
        return Tracked(str(value), source)
    if value is None or isinstance(value, bool):
        return value
    copy: Any
    if isinstance(value, int):
        copy = TrackedInt(value)
    elif isinstance(value, float):
        copy = TrackedFloat(value)
    elif isinstance(value, Mapping):
        copy = TrackedDict((track(key, source), track(item, source)) for key, item in value.items())
        copy._printed = {}
    elif isinstance(value, Sequence):
        copy = TrackedList(track(item, source) for item in value)
    else:
        msg = f"not JSON: {type(value).__name__}"
        raise TypeError(msg)
    copy._source = source
    return copy


def untrack(value: Any) -> Any:
    """Return a copy of ``value`` without origins where ``track`` made it, any other value as it is."""
    if isinstance(value, Tracked):
        return "".join(piece for piece, _ in value.pieces())
    if isinstance(value, TrackedInt | TrackedFloat):
        return bare(value)
    if type(value) in (dict, TrackedDict):
        return {untrack(key): untrack(item) for key, item in value.items()}
    if type(value) in (list, TrackedList):
        return [untrack(item) for item in value]
    return tuple(map(untrack, value)) if type(value) is tuple else value


def number(value: Any, *inputs: Any) -> Any:
    """Return ``value``, a number computed from ``inputs``: should it be printed, its digits are lost text of theirs."""
    source = lost(deep_sources(inputs))
    if not source or isinstance(value, bool) or not isinstance(value, int | float):
        return bare(value)
    copy: Any = TrackedInt(value) if isinstance(value, int) else TrackedFloat(value)
    copy._source = source
    return copy


def _computing(compute: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        if not all(isinstance(other, int | float) for other in others):
            return NotImplemented
        return number(compute(bare(self), *map(bare, others)), self, *others)

    return method


def bare(value: Any) -> Any:
    """Return a number without its origin."""
    if isinstance(value, TrackedInt):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, TrackedFloat) else value


_BINARY: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
}
_UNARY: dict[str, Callable[..., Any]] = {"neg": operator.neg, "pos": operator.pos, "abs": abs}


def _teach_arithmetic(kind: type) -> None:
    """Let numbers of ``kind`` keep their origin in arithmetic."""
    for name, compute in _BINARY.items():
        setattr(kind, f"__{name}__", _computing(compute))
        setattr(kind, f"__r{name}__", _computing(lambda mine, other, compute=compute: compute(other, mine)))
    for name, compute in _UNARY.items():
        setattr(kind, f"__{name}__", _computing(compute))


_teach_arithmetic(TrackedInt)
_teach_arithmetic(TrackedFloat)
