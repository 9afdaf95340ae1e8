"""What may be changed about a conversation so that a chat template takes it: nothing, unless it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Systems = Literal["keep", "merge", "user", "user_all"]
SameRole = Literal["keep", "join"]
CallIds = Literal["keep", "short"]
Results = Literal["keep", "user"]
Arguments = Literal["keep", "object", "text"]
FirstAssistant = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class Adaptations:
    """Which adaptations were chosen; ``keep`` leaves that side of a conversation as the data has it.

    ``system``: messages of the system's and the developer's become part of the first one (``merge``), or of the next
    user message (``user``: all but one that the conversation begins with; ``user_all``: that one, too). ``same_role``:
    neighbours of one role become one message. ``tool_call_ids``: ids of nine letters and digits. ``tool_results``: they
    become user messages. ``arguments``: of tool calls, always an object, or always JSON text. ``first_assistant``: an
    assistant's message that answers nobody is left out.
    """

    system: Systems = "keep"
    same_role: SameRole = "keep"
    tool_call_ids: CallIds = "keep"
    tool_results: Results = "keep"
    arguments: Arguments = "keep"
    first_assistant: FirstAssistant = "keep"


NONE = Adaptations()
"""A conversation as the data has it."""

VALUES: dict[str, tuple[str, ...]] = {
    "same_role": ("join",),
    "system": ("merge", "user", "user_all"),
    "tool_call_ids": ("short",),
    "arguments": ("object", "text"),
    "tool_results": ("user",),
    "first_assistant": ("drop",),
}
"""Every adaptation that can be chosen; those first that take least away from a conversation."""
