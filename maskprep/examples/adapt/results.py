"""Results of tools as user messages, for templates that have no role for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from maskprep.conversation import Conversation, Finding
from maskprep.examples.adapt.joining import given_to


def results_to_user(conversation: Conversation, trained: Collection[str]) -> Conversation:
    """Return the conversation with each result of a tool as a user message; ``trained`` are the trained roles."""
    count = sum(message.role == "tool" for message in conversation.messages)
    if not count:
        return conversation
    messages = tuple(
        given_to(message, "user", trained) if message.role == "tool" else message for message in conversation.messages
    )
    finding = Finding("tool-results-as-user", f"{count} results of tools became user messages")
    return replace(conversation, messages=messages, findings=(*conversation.findings, finding))
