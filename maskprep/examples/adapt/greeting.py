"""An assistant's message that answers nobody, left out for templates in which a user speaks first."""

from __future__ import annotations

from dataclasses import replace

from maskprep.conversation import Conversation, Finding


def drop_greeting(conversation: Conversation) -> Conversation:
    """Return the conversation without what an assistant says before anybody else but the system has spoken.

    Results of tools that it called there go with it. Where nothing else is said, all is left as it is.
    """
    messages = conversation.messages
    count = len(messages)
    head = next((i for i, message in enumerate(messages) if message.role not in {"system", "developer"}), count)
    end = next((i for i in range(head, count) if messages[i].role not in {"assistant", "tool"}), count)
    if head == end or messages[head].role != "assistant" or end == count:
        return conversation
    left = "1 message was" if end - head == 1 else f"{end - head} messages were"
    finding = Finding("first-assistant-dropped", f"the assistant spoke first: {left} left out")
    return replace(
        conversation, messages=(*messages[:head], *messages[end:]), findings=(*conversation.findings, finding)
    )
