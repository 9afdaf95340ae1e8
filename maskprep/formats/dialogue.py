"""A list of messages: the turns of a conversation."""

from __future__ import annotations

from typing import Any

from maskprep.conversation import Finding, Message
from maskprep.errors import RowError
from maskprep.formats.message import plain_message, read_message
from maskprep.formats.names import CALL, Names
from maskprep.formats.strict_json import loads_text
from maskprep.formats.wording import kind

_HINT = 'Give a list of messages: [{"role": "user", "content": "…"}, …].'


def read_dialogue(
    value: object, at: str, findings: list[Finding], names: Names, weights: tuple[float, float] = (1.0, 1.0)
) -> list[Message]:
    """Normalise a list of messages, or that list as JSON text, which stands ``at`` a place such as ``messages``.

    Tool calls in a message of their own join the assistant's message before them: the model writes both in one turn.
    ``weights`` are what a message of the assistant, and any other, counts by default. Raises RowError.
    """
    messages: list[Message] = []
    for index, raw in enumerate(_listed(value, at)):
        plain = plain_message(raw, names, weights)
        if plain is not None:
            messages.append(plain)
            continue
        place = f"{at}[{index}]"
        named = names.role(names.message(raw), place) if isinstance(raw, dict) else ""
        own = weights[0] if named in {"assistant", CALL} else weights[1]
        message = read_message(raw, place, findings, names, own)
        if named == CALL and messages and _one_turn(messages[-1], message):
            messages[-1] = _joined(messages[-1], message)
        else:
            messages.append(message)
    return messages


def check_prefix(messages: list[Message], at: str) -> None:
    """Refuse a prefix that is not the last message's, or not the assistant's. Raises RowError ``bad-prefix``."""
    for index, message in enumerate(messages):
        if message.prefix and (index < len(messages) - 1 or message.role != "assistant"):
            text = f"{at}: message {index} is marked as a prefix, but it is not the assistant's last message"
            raise RowError("bad-prefix", text, "Only what the last message begins with can be given to the model.")


def _listed(value: object, at: str) -> list[Any]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = loads_text(value)
        except RowError as error:
            raise RowError("no-messages", f"{at} is a string that is not JSON: {error.message}", _HINT) from error
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else kind(value)
        raise RowError("no-messages", f"{at} must be a list of messages, not {found}", _HINT)
    return value


def _one_turn(before: Message, calls: Message) -> bool:
    return before.role == "assistant" and before.weight == calls.weight and not before.prefix


def _joined(before: Message, calls: Message) -> Message:
    """Put the calls behind what the assistant said before it called."""
    listed = [*before.fields.get("tool_calls", []), *calls.fields["tool_calls"]]
    fields = {**calls.fields, **before.fields, "tool_calls": listed}
    return Message(fields, before.weight, (*before.ranges, *calls.ranges), calls.prefix)
