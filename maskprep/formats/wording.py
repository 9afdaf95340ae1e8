"""The wording of messages to people: how they name and quote a value that came out of a row."""

from __future__ import annotations

QUOTED = 80
"""The most characters of data that a message quotes."""

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),  # before the numbers: a bool is an int
    ((int, float), "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def quote(text: str) -> str:
    r"""Return the start of a text in quotes, on one line, with control characters escaped: ``'a\x1bb'``."""
    return repr(text) if len(text) <= QUOTED else repr(text[:QUOTED]) + "…"


def kind(value: object) -> str:
    """Return the name of a value's JSON type, with its article: ``a list``."""
    if value is None:
        return "null"
    return next((name for types, name in _KINDS if isinstance(value, types)), type(value).__name__)
