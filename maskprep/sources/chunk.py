"""The unit of work: a stretch of one source, planned up front or cut by the driver as it reads.

How often a row is used is decided by a hash of its place, so that no order and no worker changes it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from maskprep.formats import Line, Reading
from maskprep.sources import Kind
from maskprep.sources.duplicates import RowRef
from maskprep.sources.part import SourcePart
from maskprep.sources.parts import read_part

_MOST_LINES = 2**62


@dataclass(frozen=True, slots=True)
class InputFile:
    """One source to open: its ``name``, the number of the configured source, and its own number within that."""

    name: str
    source: int
    number: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of one file.

    ``name`` is what the rows are said to come from; ``size`` the bytes of the file that they stand for. Rows that a
    worker can read by itself are told of by ``part``, others are here: ``lines``. ``weight`` and ``seed`` decide how
    often each is used. ``only`` narrows the chunk to lines from the first number up to, not including, the second:
    it is tried, and its results are dropped. ``skipped`` are lines that no worker survived, ``drops`` those that were
    there before, with their first place.
    """

    number: int
    file: InputFile
    name: str
    kind: Kind
    reading: Reading
    weight: float
    seed: int
    size: int
    part: SourcePart | None = None
    lines: tuple[Line, ...] = ()
    only: tuple[int, int] | None = None
    skipped: tuple[int, ...] = ()
    drops: Mapping[int, RowRef] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name the chunk in messages."""
        first = self.part.first if self.part else self.lines[0].where.line if self.lines else 1
        return f"{self.name}, from {'row' if self.kind.numbered else 'line'} {first:,} on"

    def read(self, max_bytes: int) -> Iterator[Line]:
        """Yield the rows, those that are not used among them: they have no copies."""
        first, end = self.only or (0, _MOST_LINES)
        for line in read_part(self.part, max_bytes) if self.part else self.lines:
            number = line.where.line
            if number >= end:
                return
            if number >= first:
                times = copies(self.weight, self.seed, self.file.source, self.file.number, number)
                yield replace(line, reading=self.reading, copies=times)

    def checksum(self) -> str:
        """Return a checksum of the rows in ``lines``; a part has none, for its file tells its rows from others."""
        found = hashlib.sha256()
        for line in self.lines:
            fault = line.fault.code if line.fault else ""
            found.update(f"{line.where.line} {line.where.offset} {len(line.data)} {fault}\n".encode())
            found.update(line.data)
        return found.hexdigest()

    def divided(self, at: tuple[int, Any] | None) -> tuple[Chunk, ...]:
        """Return the chunk's lines before, at and after the line of heartbeat ``at``, or halves; none for one line."""
        first, end = self._range()
        if end - first <= 1:
            return ()
        if at is None or not first <= at[0] < end:
            edges = [first, (first + end) // 2, end]
        else:
            edges = sorted({first, at[0], at[0] + 1, end})
        return tuple(replace(self, only=(start, stop)) for start, stop in pairwise(edges))

    def without(self, failed: tuple[Chunk, ...]) -> Chunk:
        """Return the chunk without the single lines that failed: these are rejected."""
        lines = {each.only[0] for each in failed if each.only is not None}
        return replace(self, skipped=tuple(sorted({*self.skipped, *lines})))

    def _range(self) -> tuple[int, int]:
        if self.only is not None:
            return self.only
        if self.part is not None:
            # As many lines as there are bytes, at most; the halves of the search that have none are soon done.
            return self.part.first, self.part.first + self.part.end - self.part.start + 1
        return (self.lines[0].where.line, self.lines[-1].where.line + 1) if self.lines else (0, 0)


def chance(seed: int, *key: object) -> float:
    """Return a number from 0 up to 1 that looks random, and is decided by the seed and the key."""
    text = "\0".join(map(str, (seed, *key))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2**56


def copies(weight: float, seed: int, source: int, file: int, line: int) -> int:
    """Return how many times a row is used: ``weight`` on average, the whole part of it at least.

    ``source`` is the number of the configured source, ``file`` that of the file within it, ``line`` that of the row.
    """
    whole = math.floor(weight)
    rest = weight - whole
    return whole + (rest > 0 and chance(seed, "weight", source, file, line) < rest)
