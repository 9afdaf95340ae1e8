"""The tool calls of an assistant message, however the data writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.formats.keys import Speaks, is_switch, says_nothing, speaks_of
from maskprep.formats.nested_json import unwrapped, unwrapped_list
from maskprep.formats.weights import WEIGHT_KEYS
from maskprep.formats.wording import kind, quote

_SHAPE = 'Give each call as {"type": "function", "function": {"name": "…", "arguments": {…}}}.'


def read_tool_calls(value: object, at: str, findings: list[Finding]) -> list[dict[str, Any]]:
    """Return a list of tool calls, normalised, which stands ``at`` a place such as ``messages[3].tool_calls``.

    Each becomes ``{…, "function": {"name": …, "arguments": …, …}}``, also where the data leaves ``function`` out, or
    holds the list, its elements or their arguments as JSON text; an empty text is none. ``arguments`` are an object
    wherever they can be, and no other key is null. Adds to ``findings``; raises RowError ``bad-message`` or
    ``bad-tool-call``.
    """
    if isinstance(value, str):
        value = _parsed(value, at)
    if value is None:
        return []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise RowError("bad-message", f"{at} must be a list, not {kind(value)}", _SHAPE)
    return [_read_call(call, f"{at}[{index}]", findings) for index, call in enumerate(unwrapped_list(value))]


def read_call_text(value: object, at: str, findings: list[Finding]) -> list[dict[str, Any]]:
    """Return one call or a list of calls, which is given as JSON text or as the value itself."""
    if isinstance(value, str):
        value = _parsed(value, at)
    if isinstance(value, list):
        return read_tool_calls(value, at, findings)
    return [_read_call(value, at, findings)]


def _parsed(text: str, at: str) -> Any:
    try:
        return unwrapped(text)
    except RowError as error:
        raise RowError("bad-tool-call", f"{at} is no JSON of a call: {error.message}", _SHAPE) from error


def _read_call(call: object, at: str, findings: list[Finding]) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise RowError("bad-tool-call", f"{at} must be an object, not {kind(call)}", _SHAPE)
    kept = {key: value for key, value in call.items() if value is not None}
    _refuse_switches(kept, at)
    function = kept.get("function")
    if isinstance(function, str) and function.lstrip().startswith("{"):
        function = _parsed(function, f"{at}.function")
    if function is None:
        outer = {key: kept.pop(key) for key in ("id", "index") if key in kept}
        kept.pop("type", None)
        return {**outer, "type": "function", "function": _read_function(kept, at, findings)}
    if not isinstance(function, dict):
        raise RowError("bad-tool-call", f"{at}.function must be an object, not {kind(function)}", _SHAPE)
    _refuse_switches(function, f"{at}.function")
    return {**kept, "function": _read_function(function, f"{at}.function", findings)}


def _refuse_switches(call: Mapping[str, Any], at: str) -> None:
    """Refuse a call that says of itself whether it is trained: a message is the least that can be left out."""
    for key, value in call.items():
        if speaks_of(key, value, in_message=True) is Speaks.LOSS or (key in WEIGHT_KEYS and is_switch(value)):
            msg = f"{at}.{key} speaks of the loss of one call, and a call is trained with its message"
            raise RowError("unread-field", msg, "say it of the message; or give the call without it")


def _read_function(function: Mapping[str, Any], at: str, findings: list[Finding]) -> dict[str, Any]:
    """Return the object of a call's name and arguments, checked and parsed, the name first as servers write it."""
    name = function.get("name")
    if not isinstance(name, str) or not name:
        found = "an empty string" if name == "" else kind(name) if "name" in function else "missing"
        raise RowError("bad-tool-call", f"{at}.name must be a string that names the function, not {found}", _SHAPE)
    key = _arguments_key(function, at)
    arguments = _read_arguments(function.get(key), f"{at}.{key}", findings)
    rest = {k: value for k, value in function.items() if k not in {"name", key} and not says_nothing(value)}
    return {"name": name, "arguments": arguments, **rest}


def _arguments_key(function: Mapping[str, Any], at: str) -> str:
    """Return the key under which a call has its arguments. Raises RowError where there are two, or another one."""
    given = [key for key in _ARGUMENTS if not says_nothing(function.get(key))]
    if len(given) > 1:
        raise RowError("bad-tool-call", f"{at} has arguments under {' and '.join(given)}", "Keep one of them.")
    if given or any(key in function for key in _ARGUMENTS):
        return given[0] if given else next(key for key in _ARGUMENTS if key in function)
    rest = [key for key in function if key not in _BESIDE and isinstance(function[key], dict | str)]
    if rest:
        msg = f"{at} has no arguments, but {quote(rest[0])}, which is not known to hold them"
        raise RowError("bad-tool-call", msg, _SHAPE)
    return "arguments"


_ARGUMENTS = ("arguments", "parameters", "input", "args", "params", "kwargs", "tool_input", "arguments_json")
_BESIDE = frozenset({"name", "description", "id", "type", "index", "call_id", "status", "cache_control", "strict"})


def _read_arguments(arguments: object, at: str, findings: list[Finding]) -> dict[str, Any] | str:
    if arguments is None:
        return {}
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str):
        raise RowError("bad-tool-call", f"{at} must be an object or a string of JSON, not {kind(arguments)}", _SHAPE)
    try:
        parsed = unwrapped(arguments)
    except RowError as error:
        reason = error.message
    else:
        if parsed is None:
            return {}
        if isinstance(parsed, dict):
            return parsed
        reason = f"the JSON is {kind(parsed)}, not an object"
    findings.append(Finding("arguments-not-json", f"{at} stay a string: {reason}"))
    return arguments
