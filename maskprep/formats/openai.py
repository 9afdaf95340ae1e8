"""A list of messages: the OpenAI shape, ``role`` and ``content``, and ShareGPT's, ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.names import Names
from maskprep.formats.row import finish
from maskprep.formats.wording import kind, quote

LISTS = ("messages", "conversations", "conversation")
"""Where a row may hold its messages."""

_HINT = "Name the fields in the configuration, for example columns: {prompt: question, completion: answer}."


def to_conversation(row: object, names: Names | None = None) -> Conversation:
    """Normalise a row that holds a list of messages; the row itself is left as it is.

    Keys that mean nothing here are ignored. Raises RowError; its message names the place: ``messages[3].content``.
    """
    names = names or Names()
    fields = names.row(as_object(row))
    name = list_name(fields)
    if name is None:
        found = next((key for key in LISTS if key in fields), None)
        if found is not None:
            raise RowError("no-messages", f"{found} must be a list of messages, not null", _HINT)
        keys = ", ".join(quote(key) for key in list(fields)[:8])
        raise RowError("no-messages", f"the row has no fields of a known shape; it has {keys or 'no keys'}", _HINT)
    findings: list[Finding] = []
    return finish(fields, read_dialogue(fields[name], name, findings, names), findings)


def as_object(row: object) -> dict[str, Any]:
    """Return the row. Raises RowError where it is no object."""
    if not isinstance(row, dict):
        hint = 'A row is an object, such as {"messages": [{"role": "user", "content": "…"}, …]}.'
        raise RowError("not-an-object", f"the row is {kind(row)}, not an object", hint)
    return row


def list_name(row: Mapping[str, Any]) -> str | None:
    """Return the field of the row, under canonical names, that holds its messages."""
    return next((name for name in LISTS if row.get(name) is not None), None)


def fits_openai(row: Mapping[str, Any], names: Names) -> bool:
    """Tell whether a row under canonical names holds a list of messages, unless they are ShareGPT's."""
    name = list_name(row)
    first = _first(row)
    is_text = first is None and name is not None and isinstance(row[name], str) and row[name].lstrip().startswith("[")
    return is_text or (first is not None and not _is_sharegpt(first, names))


def fits_sharegpt(row: Mapping[str, Any], names: Names) -> bool:
    """Tell whether a row under canonical names holds messages of the keys ``from`` and ``value``."""
    first = _first(row)
    return first is not None and _is_sharegpt(first, names)


def _first(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the first message of a row, by whose keys its shape is told."""
    name = list_name(row)
    messages = row[name] if name is not None else None
    return messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else None


def _is_sharegpt(message: Mapping[str, Any], names: Names) -> bool:
    renamed = names.renamed_message(message)
    return "from" in renamed and "role" not in renamed
