"""What each setting means for the model that is trained, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from maskprep.examples.remedies import Remedy
from maskprep.policy import History

HISTORIES: Mapping[History, str] = MappingProxyType(
    {
        History.SPLIT: "the model learns every turn, each behind exactly what it sees when it is its turn; "
        "a conversation is written again for each turn whose past looked otherwise",
        History.TREE: "the model learns exactly the same, token for token, and what those copies share is written "
        "once; it needs attention that takes a mask (sdpa, eager, flex), not flash attention",
        History.MASK: "the model never learns from turns that later ones change, mostly all but the last: "
        "they are read, and not trained",
        History.RENDERED: "the model learns every turn, but earlier ones behind a past that it never sees in use",
    }
)
"""What each way of treating history means for the model."""

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "prompt_mismatch=graft": "the model learns its answer right behind the prompt that a server really sends, "
        "which the template itself never writes in front of such an answer",
        "prompt_mismatch=train": "the model learns its answer behind a prompt that no server sends",
        "adapt.same_role=join": "messages of one role that follow each other become one",
        "adapt.system=merge": "later system messages are read at the beginning, with the first one",
        "adapt.system=user": "later system messages are read in front of the next user message",
        "adapt.system=user_all": "system messages are read in front of the user's",
        "adapt.tool_call_ids=short": "the ids of tool calls become nine letters and digits",
        "adapt.arguments=object": "tool arguments are given to the template as an object",
        "adapt.arguments=text": "tool arguments are given to the template as JSON text",
        "adapt.tool_results=user": "the model reads results of tools as messages of the user's: send them so in use",
        "adapt.first_assistant=drop": "the model does not see what the assistant said before anybody asked",
        "control_tokens=escape": "text that spells a control token stays text: it ends no turn",
    }
)


def meanings(remedy: Remedy) -> list[str]:
    """Return what each of some settings means for the model, in their order."""
    told = []
    for key, value in remedy.settings:
        if key.startswith("template_kwargs."):
            name = key.partition(".")[2]
            told.append(f"the template is given {name}: {str(value).lower()}; give your server the same")
        else:
            told.append(_SETTINGS.get(f"{key}={value}", f"{key} is set to {value}"))
    return told


_WHOSE = re.compile(r"this message's |of its ")
_DROPPED = "this template writes nothing of {}, and a model trained with it would never see any"
WHAT: Mapping[str, str] = MappingProxyType(
    {"tool_call": "tool calls", "reasoning": "reasoning", "content": "what the assistant says", "tools": "tools"}
)


def why_left(code: str, message: str) -> str:
    """Return why rows of a kind are left over, in plain words where the template cannot render a part of them."""
    if code == "content-dropped":
        parts = [part.strip() for part in _WHOSE.split(message)[-1].split(",")]
        names = [WHAT[part] for part in parts if part in WHAT]
        if names:
            return f"{_DROPPED.format(' and '.join(names))}. Take a template that does"
    return message
