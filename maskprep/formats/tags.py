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
from itertools import pairwise
from typing import Any

from maskprep.conversation import Finding, Message
from maskprep.errors import RowError
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.tool_calls import read_tool_calls

_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_RESULT = re.compile(r"<tool_response>\n?(.*?)\n?</tool_response>", re.DOTALL)
_TOOLS = re.compile(r"<tools>\s*((?:(?!<tools>).)*?)\s*</tools>", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)


def untagged(messages: Sequence[Message], findings: list[Finding]) -> tuple[list[Message], list[Any] | None]:
    """Return the messages without tags, and the tools that a system message lists, None where none does.

    Tags that hold no JSON of a call are left in the text, finding ``tags-in-text``.
    """
    tools: list[Any] | None = None
    read: list[Message] = []
    for index, message in enumerate(messages):
        content, at = message.fields["content"], f"messages[{index}]"
        if "<" not in content:
            read.append(message)
        elif message.role in {"system", "developer"} and tools is None and (found := _tools(content)):
            tools, span = found
            rest = _with_content(message, f"{content[: span[0]].rstrip()}\n{content[span[1] :].lstrip()}".strip())
            # A system message that was nothing but its list of tools is none.
            read += [rest] if rest.fields["content"] else []
        elif message.role == "assistant" and _CALL.search(content):
            read.append(_called(message, at, findings))
        elif message.role == "tool" and (results := _results(content)):
            read += [_with_content(message, result) for result in results]
        else:
            if message.role == "assistant" and "<tool_call>" in content:
                findings.append(Finding("tags-in-text", f"{at}: <tool_call> stays in the text: it is not closed"))
            read.append(message)
    return read, tools


def _tools(content: str) -> tuple[list[Any], tuple[int, int]] | None:
    """Return the tools that a text lists and where, one behind the other or as a JSON list; None where it lists none.

    Prose that speaks of the tags before the list (``within <tools></tools> tags``) is passed over.
    """
    for match in _TOOLS.finditer(content):
        texts = [match[1]] if match[1].startswith("[") else [line for line in match[1].split("\n") if line.strip()]
        try:
            values = [unwrapped(text) for text in texts]
        except RowError:
            continue
        tools = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        if tools and all(isinstance(tool, dict) for tool in tools):
            return tools, match.span()
    return None


def _results(content: str) -> list[str]:
    """Return the results that a tool's message holds in tags, none where it holds anything else."""
    found = [match[1] for match in _RESULT.finditer(content)]
    return found if found and not _RESULT.sub("", content).strip() else []


def _called(message: Message, at: str, findings: list[Finding]) -> Message:
    content = message.fields["content"]
    thoughts = [match.span() for match in _THOUGHT.finditer(content)]
    matches = [m for m in _CALL.finditer(content) if not any(low <= m.start() < high for low, high in thoughts)]
    calls = []
    reason = "it stands in a thought"
    if message.ranges or message.prefix or "tool_calls" in message.fields:
        reason = "the message has ranges, a prefix or tool_calls as well"
        matches = []
    try:
        for match in matches:
            value = unwrapped(match[1])
            calls += read_tool_calls(value if isinstance(value, list) else [value], f"{at}: a <tool_call>", findings)
    except RowError as error:
        calls = []
        reason = error.message
    if not calls:
        findings.append(Finding("tags-in-text", f"{at}: <tool_call> stays in the text: {reason}"))
        return message
    said = [
        content[low:high].strip()
        for low, high in pairwise([0, *(edge for m in matches for edge in m.span()), len(content)])
    ]
    texts = [text for text in said[::2] if text]
    if said[-1] or any(said[2:-1:2]):
        findings.append(Finding("parts-reordered", f"{at}: text behind a <tool_call> was put before it"))
    return _with_content(message, "\n".join(texts), tool_calls=calls)


def _with_content(message: Message, content: str, **more: Any) -> Message:
    return replace(message, fields={**message.fields, "content": content, **more})
