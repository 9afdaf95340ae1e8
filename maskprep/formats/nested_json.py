r"""JSON within JSON, however often it was encoded, and Python's notation where somebody printed a value as it is.

"[{\"name\": \"f\"}]"      a list, once encoded
"\"{\\\"a\\\": 3}\""       an object, twice
"{'a': 3, 'b': None}"      an object as Python prints it
""                         nothing
"""

from __future__ import annotations

import ast
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.strict_json import loads_text, too_deep

_MOST_TIMES = 8  # that a value was encoded; nobody does so on purpose
_LONGEST_PYTHON = 1_000_000  # characters: Python's own parser takes some hundred bytes for each


def unwrapped(value: object) -> Any:
    """Return the value that JSON text stands for, decoded as often as it was encoded; None for an empty text.

    A value that is no text is returned as it is, and so are texts within a value. Raises the RowError of the strict
    parser where a text is neither JSON nor a literal of Python.
    """
    for _ in range(_MOST_TIMES):
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        value = _decoded(value)
    return value


def unwrapped_list(value: object) -> Any:
    """Return a list, or the list that JSON text stands for, with each of its elements decoded that holds an object.

    An element that is any other text stays that text: it may be meant to be one.
    """
    value = unwrapped(value)
    return [_element(item) for item in value] if isinstance(value, list) else value


def _element(item: object) -> object:
    if not isinstance(item, str) or not item.lstrip().startswith(("{", '"')):
        return item
    try:
        found = unwrapped(item)
    except RowError:
        return item
    return found if isinstance(found, dict) else item


def _decoded(text: str) -> Any:
    try:
        return loads_text(text)
    except RowError as error:
        if error.code != "not-json" or len(text) > _LONGEST_PYTHON or too_deep(text):
            raise
        try:
            return _as_json(ast.literal_eval(text.strip()))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise error from None


def _as_json(value: object) -> Any:
    """Return a literal of Python as JSON types. Raises ValueError for a value that JSON has no form for."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(item) for key, item in value.items()}
    raise ValueError("no JSON type")
