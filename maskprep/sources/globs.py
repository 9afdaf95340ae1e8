"""Globs over names that are but texts: keys of an object store, or paths that a data set's card names."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def matches(steps: Sequence[str], key: Sequence[str]) -> bool:
    """Tell whether a glob matches a key, both in steps; one that begins with a dot needs a step that does."""
    if not steps or not key:
        return not key and all(step == "**" for step in steps)
    if steps[0] == "**":
        return matches(steps[1:], key) or (not key[0].startswith(".") and matches(steps, key[1:]))
    shown = not key[0].startswith(".") or steps[0].startswith(".")
    return shown and fnmatchcase(key[0], steps[0]) and matches(steps[1:], key[1:])
