"""The OpenAI shape: ``{"messages": [{"role": …, "content": …}, …], "tools": …}``, as most published data has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import RESERVED_KWARGS, Conversation, Finding
from maskprep.errors import RowError
from maskprep.formats.message import read_message
from maskprep.formats.strict_json import loads_text
from maskprep.formats.wording import kind, quote

_HINT = 'A row is {"messages": [{"role": "user", "content": "…"}, …]}; other shapes are not supported yet.'


def to_conversation(row: object) -> Conversation:
    """Normalise a row of the OpenAI shape; the row itself is left as it is.

    Keys that mean nothing here are ignored. Raises RowError; its message names the place: ``messages[3].content``.
    """
    if not isinstance(row, dict):
        raise RowError("not-an-object", f"the row is {kind(row)}, not an object", _HINT)
    findings: list[Finding] = []
    messages = [
        read_message(message, f"messages[{index}]", findings) for index, message in enumerate(_read_messages(row))
    ]
    return Conversation(
        messages=tuple(messages),
        tools=_read_tools(row.get("tools")),
        documents=_read_objects(row.get("documents"), "documents", "bad-documents"),
        template_kwargs=_read_kwargs(row.get("chat_template_kwargs")),
        findings=tuple(findings),
    )


def _read_messages(row: Mapping[str, Any]) -> list[Any]:
    if "messages" not in row:
        keys = ", ".join(quote(key) for key in list(row)[:8])
        raise RowError("no-messages", f"the row has no key messages; it has {keys or 'no keys'}", _HINT)
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        found = "an empty list" if messages == [] else kind(messages)
        raise RowError("no-messages", f"messages must be a list of messages, not {found}", _HINT)
    return messages


def _read_tools(value: object) -> list[dict[str, Any]] | None:
    """Read the tools, which some data sets hold as a string of JSON so that no column type bends them."""
    if isinstance(value, str) and value:
        try:
            value = loads_text(value)
        except RowError as error:
            raise RowError("bad-tools", f"tools is a string that is not JSON: {error.message}", error.hint) from error
    return None if value == "" else _read_objects(value, "tools", "bad-tools")


def _read_objects(value: object, name: str, code: str) -> list[dict[str, Any]] | None:
    """Read a list of objects, None where there are none; anything else is refused with ``code``."""
    hint = f"Give {name} as a list of objects, or leave the key out."
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise RowError(code, f"{name} must be a list of objects, not {kind(value)}", hint)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise RowError(code, f"{name}[{index}] must be an object, not {kind(item)}", hint)
    return value


def _read_kwargs(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"chat_template_kwargs must be an object, not {kind(value)}"
        raise RowError("bad-kwargs", message, 'Give it as an object, for example {"enable_thinking": false}.')
    reserved = sorted(RESERVED_KWARGS.intersection(value))
    if reserved:
        message = f"chat_template_kwargs may not set {', '.join(reserved)}"
        raise RowError("reserved-kwarg", message, "Remove it: the tokenizer and maskprep set these themselves.")
    return value
