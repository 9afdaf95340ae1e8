"""Harmony's channels: an assistant turn that is logged in several messages, one for each thing that it does.

analysis     "The user asks for the tide."                  what it thinks
commentary   "Let me look."                                 what it says before it calls
commentary   to functions.get_tide: {"harbour": "Bergen"}   a call
final        "It is 1.2 m."                                 the answer
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import Finding, Message, Range
from maskprep.errors import RowError
from maskprep.formats.names import REASONING_KEYS
from maskprep.formats.tool_calls import read_call_text
from maskprep.formats.wording import kind, quote

_CHANNELS = ("analysis", "commentary", "final")
_TOOLS = "functions."


def join_channels(messages: Sequence[Message], at: str, findings: list[Finding]) -> list[Message]:
    """Return the messages with each assistant turn that is logged in channels joined into one message.

    A turn ends with its answer or with its calls. Raises RowError ``bad-message`` for an unknown channel, or
    ``bad-tool-call``.
    """
    if not any("channel" in message.fields for message in messages):
        return list(messages)
    joined: list[Message] = []
    waiting: list[Message] = []
    for index, message in enumerate(messages):
        if message.role != "assistant" or "channel" not in message.fields:
            joined += [*_turn(waiting, at), _without_channel(message)]
            waiting = []
            continue
        told = _by_channel(message, f"{at}[{index}]", findings)
        if waiting and (_answers(waiting) or (_calls(waiting) and not told.fields.get("tool_calls"))):
            joined += _turn(waiting, at)
            waiting = []
        waiting.append(told)
    return [*joined, *_turn(waiting, at)]


def _by_channel(message: Message, at: str, findings: list[Finding]) -> Message:
    """Return a message with its text in the field that its channel stands for: thought, content or tool call."""
    channel = message.fields["channel"]
    if channel not in _CHANNELS:
        shown = quote(channel) if isinstance(channel, str) else kind(channel)
        raise RowError("bad-message", f"{at}.channel is {shown}", f"The channels are {', '.join(_CHANNELS)}.")
    rest = {key: value for key, value in message.fields.items() if key not in {"channel", "recipient"}}
    recipient = message.fields.get("recipient")
    if recipient not in (None, "", "all", "user") and not str(recipient).startswith(_TOOLS):
        hint = "Calls of functions are read: to functions.NAME. Take other turns out, or write them as tool_calls."
        raise RowError("bad-message", f"{at} is said to {quote(str(recipient))}, which is no function", hint)
    if isinstance(recipient, str) and recipient.startswith(_TOOLS):
        if message.ranges:
            raise RowError("bad-range", f"{at} is a call, of which no single characters can be masked", "Use a weight.")
        call = {"name": recipient.removeprefix(_TOOLS), "arguments": rest["content"]}
        calls = [*rest.get("tool_calls", []), *read_call_text(call, at, findings)]
        return replace(message, fields={**rest, "content": "", "tool_calls": calls}, ranges=())
    if channel == "analysis":
        if any(key in rest for key in REASONING_KEYS):
            raise RowError("bad-message", f"{at} is analysis and has reasoning beside it", "Keep one of the two.")
        own = tuple(replace(span, field="reasoning_content") for span in message.ranges)
        return replace(message, fields={**rest, "content": "", "reasoning_content": rest["content"]}, ranges=own)
    return replace(message, fields={**rest, **({"final": True} if channel == "final" else {})})


def _answers(waiting: Sequence[Message]) -> bool:
    return any(message.fields.get("final") for message in waiting)


def _calls(waiting: Sequence[Message]) -> bool:
    return any(message.fields.get("tool_calls") for message in waiting)


def _turn(waiting: Sequence[Message], at: str) -> Iterator[Message]:
    """Yield the one message that the waiting messages of a turn make, none where none waits."""
    if not waiting:
        return
    fields: dict[str, Any] = {"role": "assistant", "content": ""}
    ranges: list[Range] = []
    weight = max(message.weight for message in waiting)
    for message in waiting:
        for key in ("content", *REASONING_KEYS):
            text = message.fields.get(key)
            if not text:
                continue
            before = fields.get(key, "")
            start = len(before) + 1 if before else 0
            fields[key] = f"{before}\n{text}" if before else text
            if message.weight != weight:
                ranges.append(Range(key, start, start + len(text), message.weight))
            own = [span for span in message.ranges if span.field == key]
            ranges += [replace(span, start=span.start + start, end=span.end + start) for span in own]
        if message.fields.get("tool_calls"):
            if message.weight != weight:
                text = f"{at}: a call of a turn counts otherwise in the loss than what is said with it"
                raise RowError("bad-weight", text, "Give both the same weight.")
            fields["tool_calls"] = [*fields.get("tool_calls", []), *message.fields["tool_calls"]]
        fields |= {key: value for key, value in message.fields.items() if key not in {*fields, "final"}}
    yield Message(fields, weight, tuple(ranges), any(message.prefix for message in waiting))


def _without_channel(message: Message) -> Message:
    if "channel" not in message.fields:
        return message
    fields = {key: value for key, value in message.fields.items() if key not in {"channel", "recipient"}}
    return replace(message, fields=fields)
