"""What the tests of rows that are too long share: a chat, and what becomes of it within a limit."""

from __future__ import annotations

from functools import cache

from law.comparing import NOW
from law.shapes import assistant, system, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.conversation import Conversation, Message
from maskprep.examples import Preparer
from maskprep.labelled import IGNORED
from maskprep.policy import Overflow, Policy

CHAT = (
    system("Be brief."),
    *(make(f"{what} {n}.") for n in range(6) for make, what in ((user, "Question"), (assistant, "Answer number"))),
)


@cache
def preparer(policy=None, template="chatml"):
    law = LAWS[template]
    return Preparer(tokenizer("byte_level", law.eos, law.stops), now=NOW, policy=policy or Policy(), template=law.text)


def fitted(messages, limit, mode, template="chatml", **more):
    policy = Policy(max_length=limit, overflow=Overflow(mode), **more)
    return preparer(policy, template).prepare(Conversation(tuple(map(Message, messages))))


def length(messages, template="chatml"):
    (sequence,) = preparer(None, template).prepare(Conversation(tuple(map(Message, messages)))).sequences
    return len(sequence)


def text(sequence):
    return preparer().loaded.tokenizer.decode(sequence.labelled.input_ids)


def learnt(sequence):
    labels = sequence.labelled.labels
    return preparer().loaded.tokenizer.decode(labels[labels != IGNORED])


def whole(messages, template="chatml"):
    """The ids of a conversation of its own."""
    (sequence,) = preparer(None, template).prepare(Conversation(tuple(map(Message, messages)))).sequences
    return sequence.labelled
