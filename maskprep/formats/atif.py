"""Steps of an agent's trajectory (ATIF, as Harbor writes them) as messages.

    {"source": "user", "message": "Go"}
    {"source": "agent", "message": "", "tool_calls": [{"tool_call_id": "c", "function_name": "ls", "arguments": {}}],
     "observation": {"results": [{"source_call_id": "c", "content": "a.txt"}]}, "metrics": {…}}

A step of the agent's is an assistant's message, and the results in its observation are messages of tools behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ROLES = {"system": "system", "user": "user", "agent": "assistant"}
_READ = frozenset({"step_id", "source", "message", "tool_calls", "observation", "timestamp", "model_name"})


def steps_as_messages(steps: Sequence[Any]) -> list[dict[str, Any]] | None:
    """Return the messages of steps, each with the step's other keys; None where these are no steps of plain text."""
    if not all(isinstance(step, dict) and _is_plain(step) for step in steps):
        return None
    return [message for step in steps for message in _messages(step)]


def _is_plain(step: Mapping[str, Any]) -> bool:
    role, text = _ROLES.get(str(step.get("source"))), step.get("message")
    calls, seen = step.get("tool_calls") or [], step.get("observation") or {}
    results = (seen.get("results") or []) if isinstance(seen, dict) else None
    return (
        role is not None
        and isinstance(text, str)
        and bool(text or role == "assistant")
        and isinstance(calls, list)
        and all(isinstance(call, dict) for call in calls)
        and isinstance(results, list)
        and all(isinstance(each, dict) and isinstance(each.get("content"), str) for each in results)
    )


def _messages(step: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rest = {key: value for key, value in step.items() if key not in _READ}
    calls = [
        {
            "id": call.get("tool_call_id"),
            "type": "function",
            "function": {"name": call.get("function_name"), "arguments": call.get("arguments")},
        }
        for call in step.get("tool_calls") or []
    ]
    said = {"role": _ROLES[step["source"]], "content": step["message"], **({"tool_calls": calls} if calls else {})}
    yield {**rest, **said}
    for result in (step.get("observation") or {}).get("results") or []:
        named = {"tool_call_id": result["source_call_id"]} if result.get("source_call_id") else {}
        yield {"role": "tool", "content": result["content"], **named}
