"""Entries of ``columns`` and ``roles`` that did nothing: each is an error, told with the names that rows do have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

_MOST = 8  # names that are listed


def unused_entries(
    columns: Mapping[str, str],
    roles: Mapping[str, str],
    used_columns: Mapping[str, int],
    used_roles: Mapping[str, int],
    keys_seen: Mapping[str, int],
) -> list[str]:
    """Return a message for each entry that no row of its source used, in the order of the configuration.

    Args:
        columns: what the data calls a field, by the field: ``{messages: dialog}``.
        roles: what a role of the data means: ``{bot: assistant}``.
        used_columns: how many rows each name of the data was read of, by that name (``dialog``).
        used_roles: how many messages have each role name of the data (``bot``), those without an entry among them.
        keys_seen: how many rows and messages have each key.
    """
    return [*_columns(columns, used_columns, keys_seen), *_roles(roles, used_roles)]


def _columns(columns: Mapping[str, str], used: Mapping[str, int], seen: Mapping[str, int]) -> Iterator[str]:
    for field, name in columns.items():
        if used.get(name):
            continue
        if seen.get(name):
            yield f"columns: {{{field}: {name}}} has no effect: rows of this shape have no {field!r} that is read"
        else:
            others = _listed(name, (key for key in seen if not used.get(key)), seen)
            yield f"columns: {{{field}: {name}}} has no effect: no row has {name!r}; {others}"


def _roles(roles: Mapping[str, str], seen: Mapping[str, int]) -> Iterator[str]:
    for name, role in roles.items():
        if not seen.get(name):
            others = _listed(name, seen, seen)
            yield f"roles: {{{name}: {role}}} has no effect: no message has the role {name!r}; {others}"


def _listed(name: str, names: Iterable[str], seen: Mapping[str, int]) -> str:
    """Say which names there are instead: the nearest first, then by how often they occur."""
    there = sorted((each for each in names if seen.get(each)), key=lambda each: (-seen[each], each))
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.5)
    ordered = [*near, *(each for each in there if each not in near)]
    if not ordered:
        return "there is none"
    more = ", …" if len(ordered) > _MOST else ""
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}there are: {', '.join(ordered[:_MOST])}{more}"
