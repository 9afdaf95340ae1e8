"""Whether every key of a row was read, is listed as meaningless, or was named: told apart by taking it away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maskprep.errors import RowError
from maskprep.formats import Reading, loads
from maskprep.formats.keys import MEANINGLESS, says_nothing


def unaccounted(line: bytes, reading: Reading | None = None) -> Iterator[str]:
    """Yield the paths of the keys of a row, and of its messages, of which reading the row says nothing at all.

    A key is read where the row without it is another conversation, or none.
    """
    reading = reading or Reading()
    try:
        row = loads(line)
        whole = reading.parse(row)
    except RowError:
        return  # it was rejected: nothing is passed over
    for path, without in _without_one(row):
        key = path.rpartition("].")[2]
        if key in MEANINGLESS or path in whole.account.unread:
            continue
        try:
            if reading.parse(without) == whole:
                yield path
        except RowError:
            continue


def _without_one(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each key that says something, and the row without it."""
    for key, value in row.items():
        if says_nothing(value):
            continue
        yield key, {name: each for name, each in row.items() if name != key}
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            continue
        for name in dict.fromkeys(name for item in value for name, each in item.items() if not says_nothing(each)):
            yield f"{key}[].{name}", {**row, key: [{k: v for k, v in item.items() if k != name} for item in value]}
