"""Which rows to look at."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from maskprep.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Selection:
    """One way to choose rows; without any, the first row. Numbers are from 0, negative ones from the end.

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

    def check(self) -> None:
        """Raise ``UsageError`` where two ways are given, or one that cannot be understood."""
        names = ("row", "rows", "random", "find", "origin", "finding")
        given = [f"--{name}" for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} cannot go together", "choose rows in one way")
        if self.rows is not None and not re.fullmatch(r"-?\d*:-?\d*", self.rows):
            raise UsageError(
                f"--rows {self.rows}: must be A:B", "for example --rows 10:20, or --rows -5: for the last 5"
            )
        if self.random is not None and self.random < 1:
            raise UsageError(f"--random {self.random}: must be at least 1")
        if self.origin is not None:
            self.place()

    def place(self) -> tuple[str, int]:
        """Return file and line of ``origin``."""
        file, _, line = (self.origin or "").rpartition(":")
        if not file or not line.isdecimal():
            raise UsageError(f"--origin {self.origin}: must be FILE:LINE", "the file as the build was given it")
        return file, int(line)

    @property
    def by_number(self) -> bool:
        """Whether the rows are chosen by their place alone."""
        return self.find is None and self.origin is None and self.finding is None

    def numbers(self, total: int) -> list[int]:
        """Return the rows chosen by place out of ``total``.

        Raises:
            UsageError: there is no such row.
        """
        if self.random is not None:
            return sorted(random.Random(self.seed).sample(range(total), min(self.random, total)))  # noqa: S311
        if self.rows is not None:
            start, stop = (int(end) if end else None for end in self.rows.split(":"))
            return list(range(total))[start:stop]
        number = self.row or 0
        if not -total <= number < total:
            raise UsageError(f"there is no row {number}: there are {total:,}", "rows are counted from 0")
        return [number % total]

    def pick(self, items: Iterable[T]) -> list[tuple[int, T]]:
        """Return the items chosen by place, with their numbers, out of a stream that is read once.

        Raises:
            UsageError: there is no such item.
        """
        numbered = enumerate(items)
        if self.random is None and self.rows is None and (self.row or 0) >= 0:
            found = list(islice(numbered, self.row or 0, (self.row or 0) + 1))
        elif self.random is None and self.rows is None:
            found = list(deque(numbered, maxlen=-(self.row or 0)))
            found = found[:1] if len(found) == -(self.row or 0) else []
        else:
            kept = list(numbered)
            found = [kept[number] for number in self.numbers(len(kept))]
        if not found and self.row is not None:
            raise UsageError(f"there is no row {self.row}", "rows are counted from 0")
        return found

    def search(self, items: Iterator[T], matches: Callable[[T], bool]) -> list[T]:
        """Return the first ``limit`` items that match."""
        return list(islice(filter(matches, items), self.limit))
