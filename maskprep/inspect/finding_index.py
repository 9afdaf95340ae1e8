"""The findings of a build, looked up by file and line of the row that they are about; their texts stay on the disk."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

RowRef = tuple[str, int]
"""File and line."""

Entries = Iterator[tuple[int, Mapping[str, Any]]]


class FindingIndex:
    """Looks up findings in the file that holds them. Memory holds 18 bytes for each finding.

    Args:
        entries: every finding, with its offset in the file.
        read: returns the finding at an offset.
        examples: how many rows are kept as examples of each code.

    Raises:
        KeyError, TypeError, ValueError: an entry is no finding.
    """

    def __init__(self, entries: Entries, read: Callable[[int], Mapping[str, Any]], examples: int = 10) -> None:
        self._read = read
        self._codes: dict[str, int] = {}
        self.first: dict[str, list[RowRef]] = defaultdict(list)
        keys, offsets, codes = array("Q"), array("Q"), array("H")
        for offset, entry in entries:
            code, place = text(entry, "code"), _place(entry)
            text(entry, "message")
            keys.append(_key(place))
            offsets.append(offset)
            codes.append(self._codes.setdefault(code, len(self._codes)))
            known = self.first[code]
            if len(known) < examples and place not in known:
                known.append(place)
        unsorted = np.asarray(keys, np.uint64)
        order = np.argsort(unsorted, kind="stable")
        self._keys = unsorted[order]
        self._offsets = np.asarray(offsets, np.uint64)[order]
        self._numbers = np.asarray(codes, np.uint16)[order]

    def of(self, place: RowRef) -> list[tuple[str, str]]:
        """Return code and message of each finding about the row at a file and line."""
        entries = [self._read(int(self._offsets[at])) for at in range(*self._span(place))]
        return [(text(entry, "code"), text(entry, "message")) for entry in entries if _place(entry) == place]

    def has(self, place: RowRef, code: str) -> bool:
        """Tell whether the row at a file and line has a finding with that code."""
        start, stop = self._span(place)
        number = self._codes.get(code)
        return bool((self._numbers[start:stop] == number).any()) and code in dict(self.of(place))

    def _span(self, place: RowRef) -> tuple[int, int]:
        key = np.uint64(_key(place))
        return int(np.searchsorted(self._keys, key, "left")), int(np.searchsorted(self._keys, key, "right"))


def text(facts: Mapping[str, Any], name: str) -> str:
    """Return the field ``name`` of a reject or finding, checked to be text: somebody else may have written the file."""
    if not isinstance(facts[name], str):
        raise TypeError(f"{name} is no text")
    return str(facts[name])


def _place(entry: Mapping[str, Any]) -> RowRef:
    return text(entry, "file"), int(entry["line"])


def _key(place: RowRef) -> int:
    joined = f"{place[0]}\0{place[1]}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest())
