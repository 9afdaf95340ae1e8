"""A conversation whose turns are proved."""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.conversation import Conversation, Finding
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.turn import Turn


@dataclass(frozen=True, slots=True)
class Proved:
    """A conversation rendered and its turns proved: what all histories have in common.

    ``audited`` is how many of its turns are to be held against transformers alone, once they are sequences.
    """

    conversation: Conversation
    template: ChatTemplate
    whole: Rendered
    turns: tuple[Turn, ...]
    selected: dict[int, Turn]
    findings: tuple[Finding, ...]
    audited: int = 0

    @property
    def size(self) -> int:
        """How much of it is held, about: its characters, and the ids of turns that the data has as ids."""
        return len(self.whole) + sum(len(turn.ids) for turn in self.conversation.sampled.values())
