"""What a rendering makes, counted where it is made: a limit on memory that depends on the template alone."""

from __future__ import annotations

import sys
from collections.abc import Sized
from typing import Any

from maskprep.template.sandbox.limits import Exceeded

_IN_ALL = 8  # times what one rendering may write: everything that it makes
_SMALL = 1_024  # characters: of a longer text it matters how many bytes each takes
_ITEM = 8  # bytes that an item of a list takes
_TEXTS = (str, bytes)  # not a union: this is asked all the time
_HOLDERS = (list, tuple, dict, set)
MOST_BITS = 100_000  # of a number: with larger ones arithmetic itself takes seconds
MOST_STEPS = 10**9  # of what Python does in one go, character by character


class Meter:
    """Counts the bytes and steps that a rendering takes, and raises ``Exceeded`` where they go beyond the limit."""

    def __init__(self, limit: int) -> None:
        """Allow ``limit`` bytes for one value, and some times as much for all values together."""
        self.limit = limit
        self.made = 0

    def reset(self) -> None:
        """Begin another rendering."""
        self.made = 0

    def allow(self, size: int) -> None:
        """Allow for a value of ``size`` bytes that is about to be made, or raise ``Exceeded``."""
        if size > self.limit:
            raise Exceeded(f"it would make a text of {size:,} bytes, more than template_bytes: {self.limit:,}")

    def _add(self, size: int) -> None:
        self.allow(size)
        self.made += size
        if self.made > _IN_ALL * self.limit:
            raise Exceeded(f"it makes more text than {_IN_ALL} times template_bytes: {self.limit:,}")

    def count(self, value: Any) -> Any:
        """Count a value that was made, and return it."""
        if value is None or value is True or value is False:
            return value
        if isinstance(value, _TEXTS):
            self._add(sys.getsizeof(value) if len(value) > _SMALL else len(value))
        elif isinstance(value, _HOLDERS):
            self._add(len(value) * _ITEM)
        elif isinstance(value, int):
            self.number(value.bit_length())
        return value

    @staticmethod
    def number(bits: int) -> None:
        """Allow for a number of ``bits`` bits that is about to be made, or raise ``Exceeded``."""
        if bits > MOST_BITS:
            raise Exceeded(f"it would make a number of {bits:,} bits")

    @staticmethod
    def steps(count: int) -> None:
        """Allow for an operation of ``count`` steps, none of which can be interrupted, or raise ``Exceeded``."""
        if count > MOST_STEPS:
            raise Exceeded(f"it would take {count:,} steps in one go")

    def printed(self, *values: Any) -> None:
        """Allow for values that are about to be printed or compared: a list may hold one object many times over."""
        for value in values:
            if not isinstance(value, str) and isinstance(value, Sized):
                self.allow(_printed(value, {}))


def _printed(value: Any, known: dict[int, int]) -> int:
    """Return about how many characters a value has when printed. Each object is looked at once."""
    if isinstance(value, _TEXTS):
        return len(value) + 2
    if not isinstance(value, (*_HOLDERS, frozenset)):
        return 8
    found = known.get(id(value))
    if found is None:
        known[id(value)] = 2  # should it hold itself
        items = [*value, *value.values()] if isinstance(value, dict) else value
        found = known[id(value)] = 2 + sum(_printed(item, known) + 2 for item in items)
    return found
