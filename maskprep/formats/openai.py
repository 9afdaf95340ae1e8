"""A list of messages: the OpenAI shape, ``role`` and ``content``, and ShareGPT's, ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import pair_of, read_dialogue
from maskprep.formats.names import Names
from maskprep.formats.row import Row
from maskprep.formats.shape import Shape
from maskprep.formats.wording import quote

LISTS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "items", "chat")
"""Where a row may hold its messages."""

_HINT = "Name the fields in the configuration, for example columns: {prompt: question, completion: answer}."


def read_list(row: Row) -> Sequence[Message]:
    """Take the list of messages of a row; messages name their place: ``messages[3].content``. Raises RowError."""
    name = list_name(row)
    if name is None:
        found = next((key for key in LISTS if key in row.fields), None)
        if found is not None:
            raise RowError("no-messages", f"{found} must be a list of messages, not null", _HINT)
        keys = ", ".join(quote(key) for key in list(row.fields)[:8])
        raise RowError("no-messages", f"the row has no fields of a known shape; it has {keys or 'no keys'}", _HINT)
    return read_dialogue(row.take(name), name, row)


def list_name(row: Row) -> str | None:
    """Return the field of the row that holds its messages."""
    return row.first(LISTS)


def first_message(row: Row) -> Any:
    """Return the first element of a row's list, None where there is no list; by its keys the shape is told."""
    name = list_name(row)
    messages = row.get(name) if name is not None else None
    return messages[0] if isinstance(messages, list) and messages else None


def _fits_openai(row: Row) -> bool:
    """Tell whether a row holds a list of messages, unless they are of another shape."""
    name = list_name(row)
    if name is None:
        return False
    first = first_message(row)
    if first is None:
        return isinstance(row.get(name), str) and row.get(name).lstrip().startswith(("[", '"['))
    if isinstance(first, str):
        return first.lstrip().startswith("{")
    return isinstance(first, dict) and not _is_sharegpt(first, row.names) and pair_of(first, row) is None


def _fits_sharegpt(row: Row) -> bool:
    """Tell whether a row holds messages of the keys ``from`` and ``value``."""
    first = first_message(row)
    return isinstance(first, dict) and _is_sharegpt(first, row.names)


def _is_sharegpt(message: Mapping[str, Any], names: Names) -> bool:
    renamed = names.renamed_message(message)
    return "from" in renamed and "role" not in renamed


OPENAI = Shape("openai", LISTS, _fits_openai, read_list)
SHAREGPT = Shape("sharegpt", LISTS, _fits_sharegpt, read_list)
