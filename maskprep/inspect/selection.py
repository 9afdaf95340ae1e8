"""The selection of rows to look at: by number, by place in the source, by text or by finding."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from maskprep.errors import UsageError

T = TypeVar("T")

_MOST = 10**18  # a number of rows that nobody has, and that fits into every counter
_WAYS = ("row", "rows", "random", "find", "origin", "finding")


@dataclass(frozen=True, slots=True)
class Selection:
    """One way to choose rows; an empty selection is the first row. Numbers count from 0, negative ones from the end.

    ``rows`` is ``A:B`` as in a slice, ``origin`` is ``FILE:LINE``, ``finding`` the code of a finding or a reject, and
    ``limit`` bounds how many rows a search shows.
    """

    row: int | None = None
    rows: str | None = None
    random: int | None = None
    seed: int = 0
    find: str | None = None
    origin: str | None = None
    finding: str | None = None
    limit: int = 20

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the options that were given to choose rows by."""
        return tuple(f"--{name}" for name in _WAYS if getattr(self, name) is not None)

    def check(self) -> None:
        """Raise ``UsageError`` where two options choose rows, or one cannot be understood."""
        if len(self.given) > 1:
            raise UsageError(f"{' and '.join(self.given)} cannot go together", "choose rows in one way")
        if self.row is not None and abs(self.row) > _MOST:
            raise UsageError(f"there is no row {self.row}", "rows are counted from 0")
        self._ends()
        for name in ("random", "limit"):
            if (number := getattr(self, name)) is not None and not 1 <= number <= _MOST:
                raise UsageError(f"--{name} {number}: must be at least 1")
        if self.find == "":
            raise UsageError("--find: there is no text to find", "give the text, or choose rows with --rows A:B")
        if self.origin is not None:
            self.place()

    def place(self) -> tuple[str, int]:
        """Return file and line of ``origin``."""
        found = re.fullmatch(r"(.+):([0-9]{1,18})", self.origin or "", re.DOTALL)
        if not found:
            raise UsageError(f"--origin {self.origin}: must be FILE:LINE", "the file as the build was given it")
        return found[1], int(found[2])

    @property
    def by_number(self) -> bool:
        """Whether the rows are chosen by their place alone."""
        return self.find is None and self.origin is None and self.finding is None

    def numbers(self, total: int) -> list[int]:
        """Return the numbers of the rows chosen by number out of ``total`` rows.

        Raises:
            UsageError: there is no such row.
        """
        if self.random is not None:
            return sorted(random.Random(self.seed).sample(range(total), min(self.random, total)))  # noqa: S311
        if self.rows is not None:
            return list(range(total)[slice(*self._ends())])
        if self.row is None and not total:
            return []
        number = self.row or 0
        if not -total <= number < total:
            raise UsageError(f"there is no row {number}: there are {total:,}", "rows are counted from 0")
        return [number % total]

    def pick(self, items: Iterable[T]) -> Iterator[tuple[int, T]]:
        """Yield the items chosen by number, with their numbers, out of a stream of unknown length that is read once.

        The stream is read no further than needed. Memory holds the chosen items, or as many as a negative number counts
        from the end.

        Raises:
            UsageError: there is no such item.
        """
        numbered = enumerate(items)
        if self.random is not None:
            yield from self._sample(numbered, self.random)
        elif self.rows is not None:
            yield from self._slice(numbered, *self._ends())
        elif (self.row or 0) >= 0:
            found = list(islice(numbered, self.row or 0, (self.row or 0) + 1))
            yield from self._must_be(found)
        else:
            distance = -(self.row or 0)
            held = deque(numbered, maxlen=distance)
            yield from self._must_be([held[0]] if len(held) == distance else [])

    def _ends(self) -> tuple[int | None, int | None]:
        """Return the ends A and B of ``rows``, None for one that is left out."""
        found = re.fullmatch(r"(-?[0-9]{1,18})?:(-?[0-9]{1,18})?", ":" if self.rows is None else self.rows)
        if not found:
            raise UsageError(
                f"--rows {self.rows}: must be A:B", "for example --rows 10:20, or --rows=-5: for the last 5"
            )
        start, stop = (int(end) if end else None for end in found.groups())
        return start, stop

    def _must_be(self, found: list[tuple[int, T]]) -> list[tuple[int, T]]:
        if not found and self.row is not None:
            raise UsageError(f"there is no row {self.row}", "rows are counted from 0")
        return found

    def _sample(self, numbered: Iterable[tuple[int, T]], size: int) -> list[tuple[int, T]]:
        """Return ``size`` items drawn at random, each set of items as likely as any other; no more are held."""
        dice = random.Random(self.seed)  # noqa: S311 - to look at, not to hide
        kept: list[tuple[int, T]] = []
        for number, item in numbered:
            if number < size:
                kept.append((number, item))
            elif (place := dice.randrange(number + 1)) < size:
                kept[place] = (number, item)
        return sorted(kept, key=lambda pair: pair[0])

    @staticmethod
    def _slice(numbered: Iterator[tuple[int, T]], start: int | None, stop: int | None) -> Iterator[tuple[int, T]]:
        if (start or 0) >= 0 and (stop is None or stop >= 0):
            yield from islice(numbered, start, stop)
        elif (start or 0) >= 0:
            # What is not among the last ones is known once as many have followed.
            held: deque[tuple[int, T]] = deque()
            for item in islice(numbered, start, None):
                held.append(item)
                if len(held) > -(stop or 0):
                    yield held.popleft()
        else:
            ended = deque(enumerate(numbered, 1), maxlen=-(start or 0))
            total = ended[-1][0] if ended else 0
            last = total if stop is None else stop if stop >= 0 else total + stop
            yield from (item for _, item in ended if item[0] < last)
