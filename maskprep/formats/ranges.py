"""The ranges of a message's characters that are trained, or masked, by the data's own keys.

``training_detail`` says what is trained: characters that no entry names are not, as where the key comes from.
``mask_spans`` says what is not trained, and nothing of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from maskprep.conversation import Range
from maskprep.errors import RowError
from maskprep.formats.names import REASONING_KEYS
from maskprep.formats.weights import DETAIL_KEYS, as_weight, read_weight
from maskprep.formats.wording import QUOTED, kind, quote

_BORDERS = (("begin", "end", 0), ("start", "end", 0), ("begin_offset", "end_offset", 1))
"""The keys of a range's start and end, and the number added to the end: Axolotl's offsets are inclusive."""

_SHAPE = 'Give each as {"begin": 0, "end": 5, "train": true}: characters of the text as the data has it, end excluded.'
_PAIR = 2


def read_ranges(raw: Mapping[str, Any], fields: Mapping[str, Any], weight: float, at: str) -> tuple[Range, ...]:
    """Return the ranges of a message whose text fields are ``fields`` and that counts ``weight``.

    Offsets are characters (Unicode code points). Raises RowError ``bad-range``.
    """
    details = [_range(item, fields, place, _trained(item, weight, place)) for item, place in _items(raw, at)]
    rest = {detail.field: Range(detail.field, 0, len(fields[detail.field]), 0.0) for detail in details}
    if not details and any(raw.get(key) == [] for key in DETAIL_KEYS):
        rest["content"] = Range("content", 0, len(fields["content"]), 0.0)
    masked = [_range(item, fields, place, 0.0) for item, place in _list(raw, "mask_spans", at)]
    return (*rest.values(), *details, *masked)


def _items(raw: Mapping[str, Any], at: str) -> Iterator[tuple[object, str]]:
    for key in DETAIL_KEYS:
        yield from _list(raw, key, at)


def _list(raw: Mapping[str, Any], key: str, at: str) -> Iterator[tuple[object, str]]:
    value = raw.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise RowError("bad-range", f"{at}.{key} must be a list of ranges, not {kind(value)}", _SHAPE)
    for index, item in enumerate(value):
        yield item, f"{at}.{key}[{index}]"


def _trained(item: object, message_weight: float, at: str) -> float:
    if not isinstance(item, dict):
        raise RowError("bad-range", f"{at} must be an object, not {kind(item)}", _SHAPE)
    weight = read_weight(item, at)
    if weight is None:
        raise RowError("bad-range", f"{at} does not say whether it is trained", _SHAPE)
    return as_weight(weight * message_weight, f"{at}: its weight times the message's")


def _range(item: object, fields: Mapping[str, Any], at: str, weight: float) -> Range:
    name = _field(item.get("field"), fields, at) if isinstance(item, dict) else "content"
    start, end = _borders(item, at)
    length = len(fields[name])
    if not 0 <= start <= end <= length:
        shown = f"{str(start)[:QUOTED]} to {str(end)[:QUOTED]}"
        message = f"{at} is the range {shown} (end excluded) of {name}, which has {length:,} characters"
        raise RowError("bad-range", message, "Count characters of the text as the data has it, from 0.")
    return Range(name, start, end, weight)


def _field(name: object, fields: Mapping[str, Any], at: str) -> str:
    if name is None or name == "content":
        return "content"
    found = [key for key in REASONING_KEYS if key in fields] if name in REASONING_KEYS else []
    if not found:
        shown = quote(name) if isinstance(name, str) else kind(name)
        message = f"{at}.field is {shown}, which is no text field of this message"
        raise RowError("bad-range", message, f"The fields are content and {', '.join(REASONING_KEYS)}.")
    return str(name) if name in found else found[0]


def _borders(item: object, at: str) -> tuple[int, int]:
    """Return the start and the end of a range, the end excluded, which an object or a pair gives."""
    borders: tuple[object, object] | None = None
    added = 0
    if isinstance(item, list) and len(item) == _PAIR:
        borders = (item[0], item[1])
    elif isinstance(item, dict):
        for first, last, more in _BORDERS:
            if first in item and last in item:
                borders, added = (item[first], item[last]), more
                break
    if borders is None:
        raise RowError("bad-range", f"{at} does not say from where to where", _SHAPE)
    start, end = borders
    if type(start) is not int or type(end) is not int:  # a bool is no offset
        raise RowError("bad-range", f"{at}: the offsets must be whole numbers", _SHAPE)
    return start, end + added
