"""A conversation whose turns are proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from maskprep.conversation import Conversation, Finding
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.turn import Turn


@dataclass(frozen=True, slots=True)
class Proved:
    """A conversation rendered and its turns proved: what all histories have in common.

    ``located``, where it is known, is what ``locate`` would find of the selected turns that ``whole`` begins with none.
    ``audited`` is how many of its turns are to be held against transformers alone, once they are sequences.
    ``unrenderable`` are the assistant's turns before the first user message of which the template writes no prompt.
    """

    conversation: Conversation
    template: ChatTemplate
    whole: Rendered
    turns: tuple[Turn, ...]
    selected: dict[int, Turn]
    findings: tuple[Finding, ...]
    located: Mapping[int, tuple[int, int, int]] | None = None
    audited: int = 0
    unrenderable: frozenset[int] = frozenset()
