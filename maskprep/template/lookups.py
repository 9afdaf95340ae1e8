"""Which variables a chat template looks up: whatever else it is given, it never sees."""

from __future__ import annotations

import difflib
from collections.abc import Collection

import jinja2
from jinja2 import meta

from maskprep.conversation import RESERVED_KWARGS


def looked_up(environment: jinja2.Environment, source: str) -> frozenset[str]:
    """Return the names that a template looks up, but for those that no user may set."""
    return frozenset(meta.find_undeclared_variables(environment.parse(source)) - RESERVED_KWARGS)


def unasked(name: str, asked: Collection[str]) -> str:
    """Return the words for a variable that a template never asks for: the nearest name that it does, or all of them."""
    near = difflib.get_close_matches(name, sorted(asked), n=1, cutoff=0.5)
    if near:
        return f"the template never asks for {name!r}; did you mean {near[0]!r}?"
    listed = ", ".join(sorted(asked)[:_MOST]) + (", …" if len(asked) > _MOST else "")
    return f"the template never asks for {name!r}; it asks for {listed or 'no variable of yours'}"


_MOST = 8  # names that are listed
