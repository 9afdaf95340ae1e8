"""Entries of ``columns`` and ``roles`` that did nothing: each is an error, told with the names that rows do have."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from maskprep.build.gather import Keys
from maskprep.errors import UsageError
from maskprep.examples.inputs import Inputs

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


def refuse_unused(inputs: Inputs, keys: Mapping[tuple[int, int], Keys]) -> None:
    """Refuse a build in which an entry of ``columns`` or ``roles`` did nothing.

    Args:
        inputs: what was built.
        keys: what the rows of each file used, by the numbers of source and file.

    Raises:
        UsageError: it names every such entry, and what the rows have instead.
    """
    config = inputs.config
    files = {(file.source, file.number): file for file in inputs.feed.files}
    told: list[str] = []
    for number, source in enumerate((None, *config.sources), start=-1):
        own = config if source is None else source
        used = [each for where, each in keys.items() if source is None or where[0] == number]
        seen = [inputs.feed.seen[file] for where, file in files.items()
                if file in inputs.feed.seen and (source is None or where[0] == number)]  # fmt: skip
        columns = sum((each.columns for each in used), Counter[str]())
        roles = sum((each.roles for each in used), Counter[str]()) + sum((each.roles for each in seen), Counter[str]())
        there = sum((each.keys for each in seen), Counter[str]())
        by_name = {own.columns[field]: rows for field, rows in columns.items() if field in own.columns}
        where = "" if source is None else f"{source.path}: "
        told += [f"{where}{text}" for text in unused_entries(own.columns, own.roles, by_name, roles, there)]
    if told:
        raise UsageError("; ".join(told), "take such entries out, or write them as the data has them")


def _columns(columns: Mapping[str, str], used: Mapping[str, int], seen: Mapping[str, int]) -> Iterator[str]:
    for field, name in columns.items():
        if used.get(name):
            continue
        if seen.get(name):
            yield f"columns: {{{field}: {name}}} has no effect: rows of this format have no {field!r} that is read"
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
