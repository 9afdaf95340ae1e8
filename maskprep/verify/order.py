"""The order of rows: that of their sources, or arranged; each row as often as it may be, and in one split only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.dataset.columns import Columns


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What the configuration says of the order of rows: whether it is another, and how often one may occur at most."""

    arranged: bool = False
    most: int = 1

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Arrangement:
        """Return the arrangement that a configuration asks for."""
        weights = [float(source["weight"]) for source in config["sources"]]
        return cls(bool(config["shuffle"] or config["packing"]), max(math.ceil(weight) for weight in weights))


class OrderCheck:
    """Checks the order of the rows of all shards, which it sees in order. Memory holds 16 bytes a row."""

    def __init__(self, expected: Arrangement) -> None:
        self._expected = expected
        self._before: tuple[str, int, int] | None = None
        self._copies = 1
        self._left: set[str] = set()
        self._files: dict[str, int] = {}
        self._places: list[tuple[Ints, Ints, Ints]] = []

    def begin_split(self) -> None:
        """Begin another split, whose rows begin with the first source again."""
        self._before, self._left = None, set()

    def see(self, columns: Columns) -> Iterator[tuple[int, str]]:
        """Yield the rows that stand where they must not: their place within the batch, and their name."""
        files = [self._files.setdefault(file, len(self._files)) for file in columns.files]
        numbers = np.asarray(files, np.int32), columns.lines, columns.sequences.astype(np.int32)
        self._places.append(numbers)  # type: ignore[arg-type]  # narrower, to save memory
        if self._expected.arranged:
            return
        keys = zip(columns.files, columns.lines.tolist(), columns.sequences.tolist(), strict=True)
        for place, key in enumerate(keys):
            if not self._follows(key):
                yield place, f"{key[0]}:{key[1]}"
            if self._before is not None and key[0] != self._before[0]:
                self._left.add(self._before[0])
            self._before = key

    def _follows(self, key: tuple[str, int, int]) -> bool:
        """Tell whether a row may follow the one before it; several copies of a source row follow each other."""
        before = self._before
        if before is None or key[0] != before[0]:
            self._copies = 1
            return key[0] not in self._left
        if key[1] != before[1]:
            self._copies = 1
            return key[1] > before[1]
        self._copies += key[2] <= before[2]
        return self._copies <= self._expected.most

    def repeated(self) -> Iterator[str]:
        """Yield the names of the rows that occur too often, or in two splits."""
        if not self._places:
            return
        file, line, sequence = (np.concatenate(parts) for parts in zip(*self._places, strict=True))
        order = np.lexsort((sequence, line, file))
        most = self._expected.most
        ahead, behind = order[most:], order[:-most]
        equal = (file[ahead] == file[behind]) & (line[ahead] == line[behind]) & (sequence[ahead] == sequence[behind])
        names = list(self._files)
        for at in ahead[equal].tolist():
            yield f"{names[int(file[at])]}:{int(line[at])}"
