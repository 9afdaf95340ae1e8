"""What the user wants trained, and what to do where the template or the length stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from maskprep.conversation import Conversation, Part
from maskprep.prepare.adapt import NONE, Adaptations, adapt
from maskprep.segments import MaskPolicy
from maskprep.sequences import History
from maskprep.template.turn import Mismatch

TRAINABLE = (Part.CONTENT, Part.REASONING, Part.TOOL_CALL, Part.SCAFFOLD, Part.STOP)
"""The parts that a completion can consist of."""

SINCE_LAST_USER = "since_last_user"
"""The choice of turns that agents are trained with: call, result, call, … up to the answer."""


class Overflow(StrEnum):
    """What becomes of a sequence that is too long."""

    REJECT = "reject"
    DROP_TURNS = "drop_turns"
    TRUNCATE = "truncate"
    SPLIT = "split"


class Control(StrEnum):
    """What becomes of control tokens that data spells."""

    REJECT = "reject"
    ESCAPE = "escape"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants trained, and what to do where the template stands in the way.

    ``roles``: whose messages. ``turns``: ``all`` of them, the ``first`` or the ``last`` one, ``N last``, or those
    ``since_last_user``: behind the last message of a user's.
    ``empty_thoughts`` and ``call_ids``: whether empty thoughts that the template inserts are trained, and the ids of
    tool calls. ``max_length``: the longest sequence, in tokens. ``adaptations``: what is changed about a conversation
    before it is rendered.
    """

    history: History = History.SPLIT
    mismatch: Mismatch = Mismatch.REJECT
    roles: frozenset[str] = frozenset({"assistant"})
    turns: str = "all"
    parts: frozenset[Part] = frozenset(TRAINABLE)
    empty_thoughts: bool = True
    call_ids: bool = True
    max_length: int | None = None
    overflow: Overflow = Overflow.REJECT
    control: Control = Control.REJECT
    adaptations: Adaptations = NONE

    @property
    def mask(self) -> MaskPolicy:
        """What is trained within a completion."""
        return MaskPolicy(self.parts, self.empty_thoughts, self.call_ids)

    def adapted(self, conversation: Conversation) -> Conversation:
        """Return the conversation that is prepared: with the adaptations, the very same where they change nothing."""
        return adapt(conversation, self.adaptations, self.roles)

    def speaking(self, roles: Sequence[str]) -> list[int]:
        """Return which messages of a conversation are of the roles that are trained; ``roles`` are those of all."""
        return [index for index, role in enumerate(roles) if role in self.roles]

    def choose(self, roles: Sequence[str]) -> set[int]:
        """Return which messages of a conversation are trained turns; ``roles`` are those of all its messages.

        Without any user message there is none that anything could follow: ``since_last_user`` then chooses nothing.
        """
        speaking = self.speaking(roles)
        if self.turns == "all":
            return set(speaking)
        if self.turns == "first":
            return set(speaking[:1])
        if self.turns == SINCE_LAST_USER:
            last = last_user(roles)
            return set() if last is None else {index for index in speaking if index > last}
        count = int(self.turns.removesuffix("last") or 1)
        return set(speaking[-count:])


def last_user(roles: Sequence[str]) -> int | None:
    """Return the last message of a user's in a conversation of messages of these roles, None where there is none."""
    return max((index for index, role in enumerate(roles) if role == "user"), default=None)
