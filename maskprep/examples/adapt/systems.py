"""System and developer messages behind the beginning, for templates that take one system message, or none."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from maskprep.conversation import Conversation, Finding, Message
from maskprep.examples.adapt.joining import given_to, joined
from maskprep.policy import SystemMessages

_SYSTEM = ("system", "developer")


def move_systems(conversation: Conversation, where: SystemMessages, trained: Collection[str]) -> Conversation:
    """Return the conversation with its later system messages in the first one, or with user messages.

    Args:
        conversation: the conversation.
        where: ``merge``: into the one at the beginning, which is made of the first of them where there is none;
            ``user``: in front of the text of the user message that follows, or as one where none follows directly;
            ``user_all``: the one at the beginning as well.
        trained: the roles whose messages are trained.
    """
    first = 0 if where == SystemMessages.USER_ALL else 1
    moved = sum(message.role in _SYSTEM for message in conversation.messages[first:])
    if not moved:
        return conversation
    if where == SystemMessages.MERGE:
        messages = _merged(conversation.messages, trained)
        place = "the first system message"
    else:
        messages = tuple(_with_users(conversation.messages, first, trained))
        place = "user messages"
    finding = Finding("system-merged", f"{moved} system or developer messages became part of {place}")
    return replace(conversation, messages=messages, findings=(*conversation.findings, finding))


def _merged(messages: tuple[Message, ...], trained: Collection[str]) -> tuple[Message, ...]:
    head, *later = (message for message in messages if message.role in _SYSTEM)
    for message in later:
        both = joined(head, given_to(message, head.role, trained))
        assert both is not None  # the second is but a text
        head = both
    return (head, *(message for message in messages if message.role not in _SYSTEM))


def _with_users(messages: tuple[Message, ...], first: int, trained: Collection[str]) -> Iterator[Message]:
    waiting: Message | None = None
    for index, message in enumerate(messages):
        if message.role in _SYSTEM and index >= first:
            own = given_to(message, "user", trained)
            waiting = own if waiting is None else joined(waiting, own)
            continue
        if waiting is not None and message.role == "user":
            both = joined(waiting, message)
            yield from (waiting, message) if both is None else (both,)
        else:
            yield from () if waiting is None else (waiting,)
            yield message
        waiting = None
    if waiting is not None:
        yield waiting
