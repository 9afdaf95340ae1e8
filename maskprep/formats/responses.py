"""The format of OpenAI's responses: the ``input`` and the model's ``output``, each a list of items.

{"input": "Tide?", "output": [{"type": "reasoning", …}, {"type": "message", …}, {"type": "function_call", …}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import read_dialogue
from maskprep.formats.nested_json import unwrapped, unwrapped_list
from maskprep.formats.parts import joined_text, result_text
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.wording import kind, quote
from maskprep.policy import Format

_HINT = 'Give {"input": "…" or a list of items, "output": [{"type": "message", …}, …]}.'


def _fits(row: InputRow) -> bool:
    output = row.get("output")
    items = isinstance(output, list) and bool(output) and all(isinstance(item, dict) for item in output)
    return items and isinstance(row.get("input"), str | list)


def _read(row: InputRow) -> Sequence[Message]:
    """Return the messages of a row's items; the assistant messages of the input are context, and not in the loss."""
    given, made = row.take("input"), row.take("output")
    asked = [{"role": "user", "content": given}] if isinstance(given, str) else list(as_messages(given, "input"))
    said = list(as_messages(made, "output"))
    told = row.take("instructions")
    system = [Message({"role": "system", "content": joined_text(told, "instructions")})] if told else []
    before = read_dialogue(asked, "input", row, (0.0, 1.0)) if asked else []
    return [*system, *before, *(read_dialogue(said, "output", row) if said else [])]


def as_messages(items: object, at: str) -> Iterator[dict[str, Any]]:
    """Yield the messages of a list of items; reasoning, text and calls of one assistant turn are one message.

    Raises RowError ``bad-message``.
    """
    items = unwrapped(items)
    if not isinstance(items, list):
        raise RowError("bad-message", f"{at} must be a list of items, not {kind(items)}", _HINT)
    turn: dict[str, Any] = {}
    for index, item in enumerate(unwrapped_list(items)):
        if not isinstance(item, dict):
            raise RowError("bad-message", f"{at}[{index}] must be an object, not {kind(item)}", _HINT)
        # What is thought or said behind an answer or a call begins another turn.
        ended = bool(turn.get("content") or turn.get("tool_calls")) and item.get("type") != "function_call"
        if turn and (ended or _of_assistant(item, turn) is None):
            yield turn
            turn = {}
        told = _of_assistant(item, turn)
        if told is None:
            yield _given(item, item.get("type") or "message", f"{at}[{index}]")
        else:
            turn = {"role": "assistant", "content": "", **turn, **told}
    if turn:
        yield turn


def _of_assistant(item: dict[str, Any], turn: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields that an item adds to an assistant turn, None where the item is not the assistant's."""
    match item.get("type") or "message":
        case "message" if item.get("role") == "assistant":
            return {key: value for key, value in item.items() if key != "type" and value is not None}
        case "reasoning":
            rest = {key: value for key, value in item.items() if key not in _REASONING}
            return {**rest, "reasoning_details": [*turn.get("reasoning_details", []), *_thoughts(item)]}
        case "function_call":
            rest = {key: value for key, value in item.items() if key not in _CALL}
            identity = {"id": item.get("call_id") or item.get("id"), "type": "function"}
            return {"tool_calls": [*turn.get("tool_calls", []), {**rest, **identity, "function": _function(item)}]}
        case _:
            return None


_REASONING = frozenset({"type", "id", "summary", "content", "encrypted_content", "status"})
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "status"})


def _function(item: dict[str, Any]) -> dict[str, Any]:
    return {"name": item.get("name"), "arguments": item.get("arguments")}


def _thoughts(item: dict[str, Any]) -> list[Any]:
    pieces = item.get("content") or item.get("summary") or []
    if not pieces and item.get("encrypted_content"):
        return [{"type": "reasoning.encrypted", "data": "…"}]
    return pieces if isinstance(pieces, list) else [pieces]


def _given(item: dict[str, Any], name: object, at: str) -> dict[str, Any]:
    if name == "function_call_output":
        rest = {key: value for key, value in item.items() if key not in {"type", "id", "call_id", "output", "status"}}
        text = result_text(item.get("output"), at)
        return {**rest, "role": "tool", "tool_call_id": item.get("call_id"), "content": text}
    if name == "message":
        return {key: value for key, value in item.items() if key != "type"}
    shown = quote(name) if isinstance(name, str) else kind(name)
    raise RowError("bad-message", f"{at} is an item of the type {shown}, which is not supported", _HINT)


FORMAT = RowFormat(Format.RESPONSES, ("input", "output", "instructions"), _fits, _read)
