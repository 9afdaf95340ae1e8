"""The tools that a conversation may call, and other lists of objects beside its messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.nested_json import unwrapped, unwrapped_list
from maskprep.formats.row import InputRow
from maskprep.formats.wording import kind

TOOL_FIELDS = (
    *("tools", "functions", "tool_defs", "tool_definitions", "tool_schemas", "available_tools", "tool_list"),
    *("function_definitions", "toolConfig", "tool_config"),
)
"""The fields of a row that may hold its tools."""

_LISTS = ("functionDeclarations", "function_declarations", "tools")
_SCHEMAS = ("parameters", "input_schema", "inputSchema")


def read_tools(row: InputRow) -> list[dict[str, Any]] | None:
    """Return the tools of a row: a list, JSON text of it or of its elements; None where there are none.

    Each becomes ``{"type": "function", "function": {"name", "description", "parameters"}}``, which is what a server
    shows the model, whether it is a bare function, Anthropic's, Bedrock's or Gemini's. Raises RowError ``bad-tools``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name in row.saying(TOOL_FIELDS):
        tools = read_objects(_parsed(row.take(name), name), name, "bad-tools")
        if tools is not None:
            found[name] = [_wrapped(tool) for each in tools for tool in _listed(each)]
    lists = list(found.values())
    if any(tools != lists[0] for tools in lists[1:]):
        raise RowError("bad-tools", f"the row has different tools under {' and '.join(found)}", "Keep one of them.")
    return lists[0] if lists else None


def as_tools(values: list[Any]) -> list[dict[str, Any]]:
    """Return tools in the form that a server shows the model."""
    return [_wrapped(tool) for value in values for tool in _listed(value)]


def read_objects(value: object, name: str, code: str) -> list[dict[str, Any]] | None:
    """Return a list of objects, None where there are none; any other value is refused with ``code``."""
    hint = f"Give {name} as a list of objects, or leave the key out."
    if isinstance(value, dict) and value:
        if code == "bad-tools" and not value.keys() & {"name", "function", "type", "toolSpec", *_LISTS}:
            raise RowError(code, f"{name} is an object that is no tool", hint)
        value = [value]
    if value in (None, [], {}):
        return None
    if not isinstance(value, list):
        raise RowError(code, f"{name} must be a list of objects, not {kind(value)}", hint)
    items = list(unwrapped_list(value))
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise RowError(code, f"{name}[{index}] must be an object, not {kind(item)}", hint)
    return items


def _parsed(value: object, name: str) -> object:
    """Return the value of JSON text, as which some data sets hold tools so that no column type changes them."""
    try:
        return unwrapped(value)
    except RowError as error:
        raise RowError("bad-tools", f"{name} is a string that is not JSON: {error.message}", error.hint) from error


def _listed(tool: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the tools of an object that is a list of them by another name, else the object."""
    name = next((key for key in _LISTS if isinstance(tool.get(key), list)), None)
    if name is None or "name" in tool:
        yield tool
        return
    for each in tool[name]:
        if not isinstance(each, dict):
            raise RowError("bad-tools", f"{name} holds {kind(each)}, not an object", "Give each tool as an object.")
        yield from _listed(each)


def _wrapped(tool: dict[str, Any]) -> dict[str, Any]:
    spec = tool.get("toolSpec")
    if isinstance(spec, dict):
        return _wrapped(spec)
    schema = next((key for key in _SCHEMAS if tool.get(key) is not None), None)
    bare = isinstance(tool.get("name"), str) and tool.get("function") is None
    if not bare or (tool.get("type", "function") not in _BARE and schema != "input_schema"):
        return tool
    function = {"parameters" if key == schema else key: value for key, value in tool.items() if key not in _OUTER}
    parameters = function.get("parameters")
    if schema == "inputSchema" and isinstance(parameters, Mapping) and isinstance(parameters.get("json"), dict):
        function["parameters"] = parameters["json"]
    return {"type": "function", "function": function}


_BARE = ("function", None, "custom")
_OUTER = frozenset({"type", "function", "cache_control", "cachePoint"})
