r"""Tools, calls and results that stand as tags in the text, as Hermes' data sets write them.

    system      "You may call functions. <tools>\n{…}\n</tools>"        tools of the row
    assistant   "I look.\n<tool_call>\n{\"name\": …}\n</tool_call>"     calls of the message
    tool        "<tool_response>\n{…}\n</tool_response>"                the result alone

The chat template of such a model writes these tags itself: left in the text, they would stand there twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import Finding, Message
from maskprep.errors import RowError
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.tool_calls import read_tool_calls

_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_RESULT = re.compile(r"\s*<tool_response>\n?(.*?)\n?</tool_response>\s*", re.DOTALL)
_TOOLS = re.compile(r"\s*<tools>\s*(.*?)\s*</tools>\s*", re.DOTALL)


def untagged(messages: Sequence[Message], findings: list[Finding]) -> tuple[list[Message], list[Any] | None]:
    """Return the messages without tags, and the tools that a system message lists, None where none does.

    Tags that hold no JSON of a call are left in the text, finding ``tags-in-text``.
    """
    tools: list[Any] | None = None
    read: list[Message] = []
    for index, message in enumerate(messages):
        content = message.fields["content"]
        if "<" not in content or message.ranges or message.prefix:
            read.append(message)
        elif message.role in {"system", "developer"} and tools is None and (found := _tools(content)):
            tools = found
            read.append(_with_content(message, _TOOLS.sub("\n", content, count=1).strip()))
        elif message.role == "assistant" and "<tool_call>" in content:
            read.append(_called(message, f"messages[{index}]", findings))
        elif message.role == "tool" and (match := _RESULT.fullmatch(content)) and "<tool_response>" not in match[1]:
            read.append(_with_content(message, match[1]))
        else:
            read.append(message)
    # A system message that was nothing but its list of tools is none.
    kept = [m for m, old in zip(read, messages, strict=True) if m is old or m.role != "system" or m.fields["content"]]
    return kept, tools


def _tools(content: str) -> list[Any]:
    """Return the tools that a text lists, one behind the other or as a JSON list; none where that is not what it is."""
    match = _TOOLS.search(content)
    if match is None:
        return []
    texts = [match[1]] if match[1].startswith("[") else [line for line in match[1].split("\n") if line.strip()]
    try:
        values = [unwrapped(text) for text in texts]
    except RowError:
        return []
    tools = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return tools if all(isinstance(tool, dict) for tool in tools) else []


def _called(message: Message, at: str, findings: list[Finding]) -> Message:
    content = message.fields["content"]
    calls = []
    try:
        for match in _CALL.finditer(content):
            value = unwrapped(match[1])
            calls += read_tool_calls(value if isinstance(value, list) else [value], f"{at}: a <tool_call>", findings)
    except RowError as error:
        calls = []
        reason = error.message
    else:
        reason = "no tag is closed"
    if not calls or "tool_calls" in message.fields:
        why = "the message has tool_calls as well" if calls else reason
        findings.append(Finding("tags-in-text", f"{at}: <tool_call> stays in the text: {why}"))
        return message
    return _with_content(message, _CALL.sub("", content).strip(), tool_calls=calls)


def _with_content(message: Message, content: str, **more: Any) -> Message:
    return replace(message, fields={**message.fields, "content": content, **more})
