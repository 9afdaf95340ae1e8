"""The conversations that a template is tried on. Every text differs from every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskprep.probe.prober import Sample

QUESTIONS = (
    "Which hill is higher, Mill Hill or Crow Hill?",
    "And which of them is older?",
    "Is there a road up there?",
    "How long does the walk take?",
    "Where can we stay for the night?",
    "What should I pack?",
)
ANSWERS = (
    "Crow Hill, by forty metres.",
    "They formed together, so neither.",
    "Yes, from the southern side.",
    "Three hours for most people.",
    "There is an inn at the pass.",
    "Warm clothes, and plenty of water.",
)
THOUGHTS = ("The survey lists both heights.", "Their rock has one age.")
SYSTEM = "Answer like a mountain guide."
RESULT = "Surveyed at 412 metres"
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "hill_height",
        "description": "Looks a height up",
        "parameters": {
            "type": "object",
            "properties": {"hill": {"type": "string", "description": "Name on the map"}},
            "required": ["hill"],
        },
    },
}
DOCUMENT = {"title": "Gazetteer", "text": "Crow Hill lies in the north."}


def message(role: str, text: str, **more: Any) -> dict[str, Any]:
    """Return a message of this role and text, as a mapping."""
    return {"role": role, "content": text, **more}


def user(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return the user message with question ``number``."""
    return message("user", QUESTIONS[number], **more)


def assistant(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return the assistant message with the answer to question ``number``."""
    return message("assistant", ANSWERS[number], **more)


def call(arguments: Any, *, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return an assistant message that calls the tool; the fields ``more`` are added to it, or replace its own."""
    asked = {"id": f"call{number:05}", "type": "function", "function": {"name": "hill_height", "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [asked], **more}


def result() -> dict[str, Any]:
    """Return the tool message with the result of the call."""
    return message("tool", RESULT, tool_call_id="call00001", name="hill_height")


def chat(turns: int, **more: Any) -> Sample:
    """Return a plain chat of so many turns; the fields ``more`` are added to each assistant message."""
    return Sample(tuple(said for turn in range(turns) for said in (user(turn), assistant(turn, **more))))


def with_tool(*messages: Mapping[str, Any]) -> Sample:
    """Return a sample of these messages that offers the tool."""
    return Sample(messages, tools=(TOOL,))


ARGUMENTS = {"hill": "Crow Hill"}
PLAIN = chat(1)
TWO = chat(2)
THOUGHT = Sample((user(), assistant(reasoning_content=THOUGHTS[0])))
THOUGHTS_TWICE = Sample(
    (user(), assistant(reasoning_content=THOUGHTS[0]), user(1), assistant(1, reasoning_content=THOUGHTS[1]))
)
CALLED = with_tool(user(), call(ARGUMENTS))
ANSWERED = with_tool(user(), call(ARGUMENTS), result(), assistant())
