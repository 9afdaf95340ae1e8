"""Neighbours of one role made into one message, for templates that insist that roles alternate."""

from __future__ import annotations

from dataclasses import replace

from maskprep.conversation import Conversation, Finding, Message
from maskprep.examples.adapt.joining import joined


def join_neighbours(conversation: Conversation) -> Conversation:
    """Return the conversation with messages of one role that follow each other joined by a blank line.

    Results of tools stay apart: each answers a call of its own. So do neighbours that cannot be one message.
    """
    messages: list[Message] = []
    for message in conversation.messages:
        before = messages[-1] if messages else None
        both = joined(before, message) if before and before.role == message.role != "tool" else None
        if both is None:
            messages.append(message)
        else:
            messages[-1] = both
    count = len(conversation.messages) - len(messages)
    if not count:
        return conversation
    finding = Finding("same-role-joined", f"{count} messages were joined to the one before, of the same role")
    return replace(conversation, messages=tuple(messages), findings=(*conversation.findings, finding))
