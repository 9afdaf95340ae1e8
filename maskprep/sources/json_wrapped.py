"""One JSON object around a list, such as ``{"version": 1, "data": [{…}, {…}]}``: a row an element of that list.

    {"version": 1, "data": [ {…}, {…}, {…} ], "license": "…"}
    ├──── before ─────────┤├──── rows ────┤├──── tail ──────┤
    of the first megabyte   one at a time    at most a megabyte

Only one row is held at a time, so that the file may be of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats.reading import Line
from maskprep.formats.strict_json import loads
from maskprep.sources.json_array import ElementScan, element_lines
from maskprep.sources.json_head import ROW_KEYS, jq, scan
from maskprep.sources.jsonl import BOM

_TAIL = 1 << 20  # bytes that may follow the list


def open_wrapped(source: str, stream: Iterator[bytes], max_bytes: int) -> tuple[str, Iterator[Line]]:
    """Return the name of the list that holds the rows, and its elements; ``Where.line`` is their number, from 1.

    Args:
        source: the name of the file.
        stream: its bytes; ``kinds.text_kind`` has told that they are a wrapper.
        max_bytes: an element of more bytes comes with the fault ``row-too-large``, and is never held.

    An object that ends early, or holds more than the list should have beside it, has a last row with a fault that
    says so.
    """
    text, listed = b"", None
    while listed is None:
        text += next(stream)
        found = scan(text.removeprefix(BOM).lstrip()).lists
        listed = found[0] if found else None
    start = len(text) - len(text.removeprefix(BOM).lstrip()) + listed.start
    return listed.key, _lines(source, listed.key, text[:start], chain([text[start:]], stream), max_bytes)


def _lines(source: str, key: str, before: bytes, stream: Iterator[bytes], max_bytes: int) -> Iterator[Line]:
    """Yield the elements of the list that a stream begins with, ``before`` which stands the rest of its object."""
    found = ElementScan(max_bytes, _TAIL)
    number = yield from element_lines(source, found, stream, max_bytes, len(before))
    fault = _fault(source, before, bytes(found.tail), key) if found.has_ended else None
    if fault is not None:
        yield Line(Where(source, number + 1, found.start), b"", fault)


def _fault(source: str, before: bytes, tail: bytes, key: str) -> RowError | None:
    """Return what is wrong with an object, given what stands before and behind its list."""
    hint = f"{jq(f'.{key}[]', source)} writes its rows one a line."
    if len(tail) > _TAIL:
        message = f"more than {_TAIL:,} bytes follow the list under {key!r}, and were not read"
        return RowError("more-lists", message, hint)
    try:
        value = loads(before.removeprefix(BOM) + b"[]" + tail)
    except RowError as error:
        if not tail.strip():
            return RowError("truncated-file", f"the file ends within the object that holds {key!r}", hint)
        return RowError(error.code, f"around the list under {key!r}: {error.message}", "Mend the file.")
    others = [name for name, each in value.items() if name in ROW_KEYS or _is_of_objects(each)]
    if not others:
        return None
    message = f"beside the list under {key!r}, which was read as the rows, the object holds {', '.join(others)}"
    return RowError("more-lists", message, hint)


def _is_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
