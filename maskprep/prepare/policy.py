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

    ``roles``: whose messages. ``turns``: ``all`` of them, the ``first`` or the ``last`` one, or ``N last``.
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

    def choose(self, indices: Sequence[int]) -> set[int]:
        """Return which of these messages, all of the roles that are trained, are trained turns."""
        if self.turns == "all":
            return set(indices)
        if self.turns == "first":
            return set(indices[:1])
        count = int(self.turns.removesuffix("last") or 1)
        return set(indices[-count:])
