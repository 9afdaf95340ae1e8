"""Rows with a list of messages: OpenAI's format, ``role`` and ``content``, and ShareGPT's, ``from`` and ``value``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import pair_of, read_dialogue
from maskprep.formats.names import Names, usual_role
from maskprep.formats.nested_json import unwrapped, unwrapped_list
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.wording import quote
from maskprep.policy import Format

LISTS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "items", "chat")
"""The fields of a row that may hold its messages."""

ANYTHING = ("items", "data")
"""Names of lists that may hold anything."""

_HINT = "Name the fields in the configuration, for example columns: {prompt: question, completion: answer}."


def read_list(row: InputRow) -> Sequence[Message]:
    """Return the messages of a row's list; errors name their place: ``messages[3].content``. Raises RowError."""
    name = list_name(row)
    if name is None:
        found = next((key for key in LISTS if key in row.fields), None)
        if found is not None:
            raise RowError("no-messages", f"{found} must be a list of messages, not null", _HINT)
        keys = ", ".join(quote(key) for key in list(row.fields)[:8])
        hint = _own_keys(row.fields) or _HINT
        raise RowError("no-messages", f"the row has no fields of a known format; it has {keys or 'no keys'}", hint)
    return read_dialogue(row.take(name), name, row)


def _own_keys(fields: Mapping[str, Any]) -> str:
    """Return how the configuration would name the fields of a row of unknown keys, in the row's own words."""
    lists = [key for key, value in fields.items() if isinstance(value, list) and value]
    texts = [key for key, value in fields.items() if isinstance(value, str)]
    ways = [f"columns: {{messages: {quote(key)}}}" for key in lists[:1]]
    ways += [f"columns: {{prompt: {quote(texts[0])}, completion: {quote(texts[1])}}}"] if len(texts) > 1 else []
    return f"If these hold the conversation, name them in the configuration: {' or '.join(ways)}." if ways else ""


def list_name(row: InputRow) -> str | None:
    """Return the field of the row that holds its messages: the first of the usual names under which such stand."""
    first = row.first(LISTS)
    if first is None or _are_messages(row.get(first), row):
        return first
    return next((name for name in LISTS if _are_messages(row.get(name), row)), first)


def texts_fault(name: str, value: object) -> str | None:
    """Return why a list of texts is not read as user and assistant speaking in turn, None where it may be.

    Under ``turns``, benchmarks hold questions alone; and a text that begins with its speaker's name would be trained
    with it.
    """
    if isinstance(value, str) and value.lstrip().startswith('["'):
        try:
            value = unwrapped(value)
        except RowError:
            return None
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        return None
    if any(each.lstrip().startswith("{") for each in value):
        return None
    if name == "turns":
        return "turns is a list of texts: they may be questions alone, or what the user and the assistant say in turn"
    if len(value) > 1 and all(map(_names_its_speaker, value[:2])):
        return f"the texts of {name} begin with who says them, which would be trained as their text"
    return None


_SPEAKER = re.compile(r"[\W_]*([A-Za-z]+)[\W_]*?:")


def _names_its_speaker(text: str) -> bool:
    match = _SPEAKER.match(text)
    return match is not None and (
        usual_role(match[1]) is not None or match[1].lower() in {"q", "a", "question", "answer"}
    )


def _are_messages(value: object, row: InputRow) -> bool:
    """Tell whether a value looks like a list of messages, or like the JSON text of one."""
    if isinstance(value, str):
        return value.lstrip().startswith(("[", '"['))
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, dict):
        return isinstance(first, str)
    renamed = row.names.renamed_message(first)
    return not renamed.keys().isdisjoint(("role", "from", "content")) or pair_of(first, row) is not None


def _hold_messages(text: str, row: InputRow) -> bool:
    """Tell whether a text is JSON of a list of objects that look like messages."""
    try:
        value = unwrapped_list(text)
    except RowError:
        return False
    return isinstance(value, list) and value != [] and isinstance(value[0], dict) and _are_messages(value, row)


def speaks_for_nobody(row: InputRow) -> bool:
    """Tell whether a row holds a list of objects of which the first has no role: that one is not read as it is."""
    first = first_message(row)
    return isinstance(first, dict) and row.names.renamed_message(first).keys().isdisjoint(("role", "from"))


def first_message(row: InputRow) -> Any:
    """Return the first element of a row's list, None where there is no list; its keys tell the row's format."""
    name = list_name(row)
    messages = row.get(name) if name is not None else None
    return messages[0] if isinstance(messages, list) and messages else None


def _fits_openai(row: InputRow) -> bool:
    """Tell whether a row holds a list of messages, and none of another format."""
    name = list_name(row)
    if name is None:
        return False
    first = first_message(row)
    if first is None:
        value = row.get(name)
        if not isinstance(value, str) or not _are_messages(value, row) or texts_fault(name, value) is not None:
            return False
        return name not in ANYTHING or _hold_messages(value, row)
    if isinstance(first, str):
        return first.lstrip().startswith("{")
    is_ours = isinstance(first, dict) and not is_sharegpt(first, row.names) and pair_of(first, row) is None
    return is_ours and _are_messages([first], row)


def is_sharegpt(message: Mapping[str, Any], names: Names) -> bool:
    """Tell whether a message has the keys ``from`` and ``value``."""
    renamed = names.renamed_message(message)
    return "from" in renamed and "role" not in renamed


FORMAT = RowFormat(Format.OPENAI, LISTS, _fits_openai, read_list)
