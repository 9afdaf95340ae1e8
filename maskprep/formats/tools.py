"""The tools that a conversation may call, and other lists of objects beside its messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.strict_json import loads_text
from maskprep.formats.wording import kind


def read_tools(row: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Read ``tools``, or the ``functions`` of old, as a list or as JSON text; None where there are none.

    A bare function becomes ``{"type": "function", "function": …}``, which is what a server shows the model. Raises
    RowError ``bad-tools``.
    """
    for name in ("tools", "functions"):
        tools = read_objects(_parsed(row.get(name), name), name, "bad-tools")
        if tools is not None:
            return [_wrapped(tool) for tool in tools]
    return None


def read_objects(value: object, name: str, code: str) -> list[dict[str, Any]] | None:
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


def _parsed(value: object, name: str) -> object:
    """Read JSON text, as which some data sets hold tools so that no column type bends them."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return loads_text(value)
    except RowError as error:
        raise RowError("bad-tools", f"{name} is a string that is not JSON: {error.message}", error.hint) from error


def _wrapped(tool: dict[str, Any]) -> dict[str, Any]:
    bare = isinstance(tool.get("name"), str) and tool.get("function") is None and tool.get("type", "function") in _BARE
    if not bare:
        return tool
    return {"type": "function", "function": {key: tool[key] for key in tool if key not in {"type", "function"}}}


_BARE = ("function", None)
