"""JSON objects with a list of as many items as a data set has shards: of a large one there are a million.

Such lists are spelt item by item, so that they need not be held as text, and never indented, which takes long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_LONG = frozenset({"shards", "_data_files"})
"""What these lists are called."""


def compact(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pieces of ``json.dumps(value, sort_keys=True)``."""
    for number, (name, item) in enumerate(sorted(value.items())):
        yield f"{', ' if number else '{'}{json.dumps(name)}: "
        if name in _LONG and isinstance(item, list):
            for place, each in enumerate(item):
                yield f"{', ' if place else '['}{json.dumps(each, sort_keys=True)}"
            yield "]" if item else "[]"
        else:
            yield json.dumps(item, sort_keys=True)
    yield "}" if value else "{}"


def indented(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pieces of JSON for people: indented, long lists one item a line."""
    for number, (name, item) in enumerate(value.items()):
        yield f"{',' if number else '{'}\n {json.dumps(name, ensure_ascii=False)}: "
        if name in _LONG and isinstance(item, list):
            for place, each in enumerate(item):
                yield f"{',' if place else '['}\n  {json.dumps(each, ensure_ascii=False)}"
            yield "\n ]" if item else "[]"
        else:
            # No line ends within a string of JSON.
            yield json.dumps(item, indent=1, ensure_ascii=False).replace("\n", "\n ")
    yield "\n}\n" if value else "{}\n"
