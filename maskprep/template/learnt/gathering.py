"""What the Python functions that stand for a template do with lists: the filters that choose, gather and join.

messages|selectattr('role', 'equalto', 'user')     selected_pairs(v0_0, 'role', lambda _x: bool(_x == 'user'), …)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from maskprep.template.learnt.runtime import ABSENT, LONGEST, MissError, Pairs, message_with_origins, to_json
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.strings.printing import to_text
from maskprep.template.strings.string import Tracked


def added(one: list[Any], two: list[Any]) -> list[Any]:
    """Return two lists, one behind the other."""
    if len(one) + len(two) > LONGEST:
        raise MissError
    return [*one, *two]


def selected(items: Iterable[Any], name: str, wanted: Callable[[Any], bool], *, keep: bool) -> list[Any]:
    """Return the items of which the entry ``name`` is wanted, or those of which it is not."""
    return [item for item in items if wanted(_entry(item, name)) == keep]


def selected_pairs(pairs: Pairs, name: str, wanted: Callable[[Any], bool], *, keep: bool) -> Pairs:
    """Return the messages of which the field ``name`` is wanted, or those of which it is not."""
    return Pairs(pair for pair in pairs if wanted(_entry(pair[0], name)) == keep)


def _entry(item: Any, name: str) -> Any:
    """Return the entry of a mapping, ``ABSENT`` without one; a text or a number has none."""
    if isinstance(item, dict):
        return item.get(name, ABSENT)
    if isinstance(item, list):
        raise MissError
    return ABSENT


def items_of(items: Iterable[Any], name: str) -> list[Any]:
    """Return the entry ``name`` of each mapping; none may lack it."""
    found = [_entry(item, name) for item in items]
    if any(each is ABSENT for each in found):
        raise MissError
    return found


def fields_of(pairs: Pairs, name: str) -> list[Any]:
    """Return the field ``name`` of each message, with its origins; none may lack it."""
    if any(name not in fields for fields, _ in pairs):
        raise MissError
    return [message_with_origins(fields, source)[name] for fields, source in pairs]


def mapped(items: Iterable[Any], change: Callable[[str], str]) -> list[str]:
    """Return each of some texts changed."""
    return [change(_text(item)) for item in items]


def all_json(items: Iterable[Any]) -> list[str]:
    """Return the JSON of each value; none may be a truth or null, which are nobody's."""
    found = list(items)
    if any(item is None or item is True or item is False or item == "" for item in found):
        raise MissError
    return [to_json(item) for item in found]


def unique(texts: Iterable[Any]) -> list[str]:
    """Return the texts that differ, but for their case, in their order."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(_text(text).lower(), text)
    return [*found.values()]


def joined(pieces: Iterable[Any], between: str, source: int) -> Tracked:
    """Return texts of one source with text of the template's between them."""
    texts = [_text(piece) for piece in pieces]
    if sum(map(len, texts)) + len(texts) * len(between) > LONGEST:
        raise MissError
    return Tracked(between, TEMPLATE).join([Tracked(text, source) for text in texts])


def joined_own(pieces: Iterable[Any], between: str) -> Tracked:
    """Return values with origins as text, joined."""
    texts = [to_text(piece) for piece in pieces]
    if sum(map(len, texts)) + len(texts) * len(between) > LONGEST:
        raise MissError
    return Tracked(between).join(texts)


def run_on(pieces: Iterable[Any]) -> str:
    """Return texts of one source joined without anything between them."""
    return "".join(map(_text, pieces))


def _text(piece: Any) -> str:
    if not isinstance(piece, str):
        raise MissError
    return piece


def sorted_items(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the items of a mapping as the filter ``dictsort`` orders them."""
    return sorted(mapping.items(), key=lambda item: item[0].lower())
