"""The list of messages as a template sees it, and how much of it the template has seen.

What a template has seen is told by one number: how many messages there must be for it to see the very same. Reading
message 3 takes 4 of them; asking for the length, for the last message or for the end takes all that there are, and no
list of another length can answer alike.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any, SupportsIndex

ALL = sys.maxsize
"""The number of messages noted for whatever only a list of exactly this length can answer."""


class ObservedList:
    """What a rendering has seen: ``needs`` messages and, if ``asked``, whether a generation prompt is wanted."""

    __slots__ = ("asked", "needs")

    def __init__(self) -> None:
        self.needs, self.asked = 0, False


class Messages:
    """A part of a list of messages that notes which messages are read; it does all that a list does in a sandbox.

    Args:
        items: the messages of the conversation, of which the template gets the first ``size``.
        size: how many messages there are.
        seen: where to note what is read.
        start: the first message of this part.
        stop: the one behind its last message, None for all that follow.
    """

    __slots__ = ("_items", "_seen", "_size", "start", "stop")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, items: list[Any], size: int, seen: ObservedList, start: int = 0, stop: int | None = None
    ) -> None:
        self._items, self._size, self._seen, self.start, self.stop = items, size, seen, start, stop

    def walk(self, first: int = 0) -> Iterator[Any]:
        """Yield the messages of this part from its number ``first`` on, and note each as seen."""
        position = self.start + first
        while self.stop is None or position < self.stop:
            if position >= self._size:
                self._need(ALL)
                return
            self._need(position + 1)
            yield self._items[position]
            position += 1

    def same(self, other: Messages) -> bool:
        """Tell whether ``other`` is the same part of a list of messages, which may be longer than this one."""
        sizes = min(self._size, other._size)
        return (self.start, self.stop) == (other.start, other.stop) and (self.stop is None or self.stop <= sizes)

    def everything(self) -> list[Any]:
        """Return the messages as a list."""
        self._need_end()
        return self._items[self.start : self._end]

    @property
    def _end(self) -> int:
        return self._size if self.stop is None else min(self.stop, self._size)

    def _need(self, count: int) -> None:
        self._seen.needs = max(self._seen.needs, count)

    def _need_end(self) -> None:
        self._need(ALL if self.stop is None or self.stop > self._size else self.stop)

    def __iter__(self) -> Iterator[Any]:
        return self.walk()

    def __len__(self) -> int:
        if self.stop is None:  # asked for all the time: without the detours of what follows
            self._seen.needs = ALL
            return self._size - self.start if self._size > self.start else 0
        self._need_end()
        return max(0, self._end - self.start)

    def __bool__(self) -> bool:
        if self.start < self._end:
            self._need(self.start + 1)
            return True
        self._need_end()
        return False

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        if isinstance(key, slice):
            return self._part(key)
        index = operator.index(key)
        if index < 0:
            everything: list[Any] = self.everything()
            return everything[index]
        position = self.start + index
        if position >= self._end:
            self._need_end()
            raise IndexError("list index out of range")
        self._need(position + 1)
        return self._items[position]

    def _part(self, key: slice) -> Any:
        edges = [None if edge is None else operator.index(edge) for edge in (key.start, key.stop, key.step)]
        first, last, step = edges
        if step not in {None, 1} or (first or 0) < 0 or (last or 0) < 0:
            return self.everything()[slice(*edges)]
        start = self.start + (first or 0)
        stops = [stop for stop in (self.stop, None if last is None else self.start + last) if stop is not None]
        stop = max(start, min(stops)) if stops else None
        return Messages(self._items, self._size, self._seen, start, stop)

    # What needs the whole of it anyway

    def __reversed__(self) -> Iterator[Any]:
        return iter(self.everything()[::-1])

    def __contains__(self, item: object) -> bool:
        return item in self.everything()

    def __eq__(self, other: object) -> bool:
        return bool(self.everything() == _plain(other))

    def __lt__(self, other: Any) -> bool:
        return bool(self.everything() < _plain(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.everything() <= _plain(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.everything() > _plain(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.everything() >= _plain(other))

    def __add__(self, other: Any) -> list[Any]:
        added: list[Any] = self.everything() + _plain(other)
        return added

    def __radd__(self, other: Any) -> list[Any]:
        added: list[Any] = other + self.everything()
        return added

    def __mul__(self, count: SupportsIndex) -> list[Any]:
        return self.everything() * count

    __rmul__ = __mul__

    def index(self, *args: Any) -> int:
        return self.everything().index(*args)

    def count(self, item: Any) -> int:
        return self.everything().count(item)

    def copy(self) -> list[Any]:
        return self.everything()


def _plain(value: Any) -> Any:
    """Return the messages of a ``Messages`` as a plain list, any other value as it is."""
    return value.everything() if isinstance(value, Messages) else value
