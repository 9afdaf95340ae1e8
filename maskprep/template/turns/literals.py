"""A search for any of many texts: a vocabulary may bring 100,000 tokens, more than a regular expression is made for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

_FEW = 50  # texts that a regular expression is good for
_HEAD = 2  # characters that a place must begin with to be looked at


class Literals:
    """Finds the texts ``wanted``: the leftmost and, of those that begin at one place, the longest."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """Note how the texts begin and how long they are; empty ones are left out."""
        self._wanted = frozenset(filter(None, wanted))
        self._all: re.Pattern[str] | None = None
        if len(self._wanted) <= _FEW:
            # Of two that begin at one place the longer one is tried first.
            ordered = sorted(self._wanted, key=len, reverse=True)
            self._all = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")
        lengths = defaultdict(set)
        for text in self._wanted:
            lengths[text[0]].add(len(text))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        heads = sorted({text[:_HEAD] for text in self._wanted})
        self._heads = re.compile("|".join(map(re.escape, heads)) or r"(?!)")

    def search(self, text: str, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
        """Return the place ``(start, end)`` of the first wanted text inside ``start:end``, None without any."""
        end = len(text) if end is None else min(end, len(text))
        if self._all is not None:
            match = self._all.search(text, start, end)
            return None if match is None else match.span()
        while head := self._heads.search(text, start, end):
            found = self._at(text, head.start(), end)
            if found:
                return head.start(), found
            start = head.start() + 1
        return None

    def all(self, text: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the places of all wanted texts from ``start`` on; none overlaps another."""
        while found := self.search(text, start):
            yield found
            start = found[1]

    def begins(self, text: str) -> bool:
        """Tell whether ``text`` begins with one of the wanted texts."""
        return bool(text) and self._at(text, 0, len(text)) > 0

    def _at(self, text: str, start: int, end: int) -> int:
        """Return where the longest wanted text that begins at ``start`` ends, 0 where none does."""
        stops = (start + length for length in self._lengths.get(text[start], ()))
        return next((stop for stop in stops if stop <= end and text[start:stop] in self._wanted), 0)
