"""A conversation changed so that a chat template takes it, as far as the configuration asks for that.

    read  ─▶  adapt  ─▶  render, prove, label         indices of messages are those of the adapted conversation

Pure functions from conversation to conversation. Each leaves a finding where it changed something.
"""

from __future__ import annotations

from collections.abc import Collection

from maskprep.conversation import Conversation
from maskprep.prepare.adapt.arguments import change_arguments
from maskprep.prepare.adapt.call_ids import shorten_ids
from maskprep.prepare.adapt.choices import NONE, VALUES, Adaptations
from maskprep.prepare.adapt.greeting import drop_greeting
from maskprep.prepare.adapt.neighbours import join_neighbours
from maskprep.prepare.adapt.results import results_to_user
from maskprep.prepare.adapt.systems import move_systems

__all__ = ["NONE", "VALUES", "Adaptations", "adapt"]


def adapt(conversation: Conversation, chosen: Adaptations, trained: Collection[str]) -> Conversation:
    """Return the conversation with the chosen adaptations, the very same one where none changes it.

    Neighbours are joined last of all that moves text about: the others can make neighbours of one role.

    Args:
        conversation: the conversation as the data has it.
        chosen: what is to be changed.
        trained: the roles whose messages are trained: text that comes to such a role is not trained for that.
    """
    if chosen == NONE:
        return conversation
    if chosen.first_assistant == "drop":
        conversation = drop_greeting(conversation)
    if chosen.system != "keep":
        conversation = move_systems(conversation, chosen.system, trained)
    if chosen.tool_results == "user":
        conversation = results_to_user(conversation, trained)
    if chosen.same_role == "join":
        conversation = join_neighbours(conversation)
    if chosen.tool_call_ids == "short":
        conversation = shorten_ids(conversation)
    if chosen.arguments != "keep":
        conversation = change_arguments(conversation, chosen.arguments)
    return conversation
