"""The turns of a conversation that can be proved, of every role that is trained."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.template.rendered import Rendered
from maskprep.template.spoken import find_spoken
from maskprep.template.turn import Turn
from maskprep.template.turns import TurnFinder


def find_turns(finder: TurnFinder, conversation: Conversation, wanted: Collection[int], whole: Rendered) -> list[Turn]:
    """Return every turn that can be proved, wanted or not. Raises ``RowError`` for a wanted one that cannot.

    Args:
        finder: proves turns of the assistant's.
        conversation: the conversation.
        wanted: the indices of the messages that are to be trained.
        whole: the audited rendering of the conversation.
    """
    roles = [message.role for message in conversation.messages]
    assistants = [index for index, role in enumerate(roles) if role == "assistant" and index]
    others = [index for index in wanted if roles[index] != "assistant"]
    turns = []
    for index in sorted([*assistants, *others]):
        if index in others:
            turn = find_spoken(finder.template, finder.stops, conversation, index, whole)
        else:
            turn = _find(finder, conversation, index, wanted, whole)
        if turn is not None:
            turns.append(_behind_prefix(turn) if conversation.messages[index].prefix else turn)
    return turns


def _find(
    finder: TurnFinder, conversation: Conversation, index: int, wanted: Collection[int], whole: Rendered
) -> Turn | None:
    """Prove a turn; one that is not to be trained may fail: it is then only not told apart."""
    try:
        return finder.find(conversation, index, whole)
    except RowError:
        if index in wanted:
            raise
        return None


def _behind_prefix(turn: Turn) -> Turn:
    """Return a turn whose text is given to the model: what it must write begins behind it."""
    own = turn.text.extent(turn.message)
    start = max(turn.start, own[1]) if own else turn.start
    return replace(turn, start=start, thought=(start, start))
