"""A conversation changed so that a chat template takes it, as far as the configuration asks for that.

    read  ─▶  adapt  ─▶  render, prove, label         indices of messages are those of the adapted conversation

Pure functions from conversation to conversation. Each leaves a finding where it changed something.
"""

from __future__ import annotations

from maskprep.conversation import Conversation
from maskprep.examples.adapt.arguments import change_arguments
from maskprep.examples.adapt.call_ids import shorten_ids
from maskprep.examples.adapt.greeting import drop_greeting
from maskprep.examples.adapt.neighbours import join_neighbours
from maskprep.examples.adapt.results import results_to_user
from maskprep.examples.adapt.systems import move_systems
from maskprep.policy import (
    NO_ADAPTATIONS,
    Arguments,
    CallIds,
    FirstAssistant,
    Policy,
    SameRole,
    SystemMessages,
    ToolResults,
)

__all__ = ["adapt"]


def adapt(conversation: Conversation, policy: Policy) -> Conversation:
    """Return the conversation with the chosen adaptations, the very same one where none changes it.

    Neighbours are joined last of all that moves text about: the others can make neighbours of one role.

    Args:
        conversation: the conversation as the data has it.
        policy: what is to be changed, and the roles whose messages are trained: text that comes to a message of such a
            role is not trained for that.
    """
    chosen, trained = policy.adaptations, policy.roles
    if chosen == NO_ADAPTATIONS:
        return conversation
    if chosen.first_assistant == FirstAssistant.DROP:
        conversation = drop_greeting(conversation)
    if chosen.system != SystemMessages.KEEP:
        conversation = move_systems(conversation, chosen.system, trained)
    if chosen.tool_results == ToolResults.USER:
        conversation = results_to_user(conversation, trained)
    if chosen.same_role == SameRole.JOIN:
        conversation = join_neighbours(conversation)
    if chosen.tool_call_ids == CallIds.SHORT:
        conversation = shorten_ids(conversation)
    if chosen.arguments != Arguments.KEEP:
        conversation = change_arguments(conversation, chosen.arguments)
    return conversation
