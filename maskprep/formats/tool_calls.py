"""The tool calls of an assistant's message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.formats.strict_json import loads_text
from maskprep.formats.wording import kind

_SHAPE = 'Give each call as {"type": "function", "function": {"name": "…", "arguments": {…}}}.'


def read_tool_calls(value: object, at: str, findings: list[Finding]) -> list[dict[str, Any]]:
    """Normalise the ``tool_calls`` of the message ``at`` so that ``arguments`` are an object wherever they can be.

    A call keeps its shape, nested under ``function`` or flat, and every other key. Adds to ``findings``; raises
    RowError ``bad-message`` or ``bad-tool-call``.
    """
    if not isinstance(value, list):
        raise RowError("bad-message", f"{at}.tool_calls must be a list, not {kind(value)}", _SHAPE)
    return [_read_call(call, f"{at}.tool_calls[{index}]", findings) for index, call in enumerate(value)]


def _read_call(call: object, at: str, findings: list[Finding]) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise RowError("bad-tool-call", f"{at} must be an object, not {kind(call)}", _SHAPE)
    function = call.get("function")
    if function is None:
        return _read_function({key: value for key, value in call.items() if key != "function"}, at, findings)
    if not isinstance(function, dict):
        raise RowError("bad-tool-call", f"{at}.function must be an object, not {kind(function)}", _SHAPE)
    return {**call, "function": _read_function(function, f"{at}.function", findings)}


def _read_function(function: Mapping[str, Any], at: str, findings: list[Finding]) -> dict[str, Any]:
    """Check the name and parse the arguments of the object that holds both."""
    name = function.get("name")
    if not isinstance(name, str) or not name:
        found = "an empty string" if name == "" else kind(name) if "name" in function else "missing"
        raise RowError("bad-tool-call", f"{at}.name must be a string that names the function, not {found}", _SHAPE)
    return {**function, "arguments": _read_arguments(function.get("arguments"), f"{at}.arguments", findings)}


def _read_arguments(arguments: object, at: str, findings: list[Finding]) -> dict[str, Any] | str:
    if arguments is None:
        return {}
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str):
        raise RowError("bad-tool-call", f"{at} must be an object or a string of JSON, not {kind(arguments)}", _SHAPE)
    try:
        parsed = loads_text(arguments)
    except RowError as error:
        reason = error.message
    else:
        if isinstance(parsed, dict):
            return parsed
        reason = f"the JSON is {kind(parsed)}, not an object"
    findings.append(Finding("arguments-not-json", f"{at} stay a string: {reason}"))
    return arguments
