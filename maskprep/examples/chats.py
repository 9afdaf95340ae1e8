"""What ``apply_chat_template`` is given to make a sequence again: verification and the audit of a build ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskprep.conversation import Conversation, Sampled
from maskprep.examples.prepared import PreparedSequence
from maskprep.labelled import Labelled


@dataclass(frozen=True, slots=True)
class Chat:
    """What ``apply_chat_template`` is given: normalised messages and what goes with them.

    ``partial`` are the messages of which the data masks something, ``prefix`` is the one whose text is given to the
    model to go on from, ``cut`` tells that the end of the row was cut off. ``template`` is the text of the chat
    template, None for the tokenizer's own. A ``plain_text`` is a document of one message, which no template renders.
    ``sampled`` are the ids of turns that the data has as they were generated, by message.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Any = None
    documents: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    partial: frozenset[int] = frozenset()
    prefix: int | None = None
    cut: bool = False
    template: str | None = None
    plain_text: bool = False
    sampled: Mapping[int, Sampled] = field(default_factory=dict)


class Chats:
    """The conversation of a row as ``apply_chat_template`` is given it, for each of its sequences."""

    def __init__(self, conversation: Conversation, variables: Mapping[str, Any], template: str | None = None) -> None:
        """Keep the conversation; ``template`` is the text of the chat template, None for the tokenizer's own."""
        self._conversation, self._template = conversation, template
        self._variables = {**variables, **(conversation.template_kwargs or {})}

    def of(self, made: PreparedSequence) -> Chat:
        """Return what a sequence was rendered from: some messages may have been left out."""
        conversation = self._conversation
        kept = made.kept if made.kept is not None else range(len(conversation.messages))
        messages = [conversation.messages[index] for index in kept]
        prefix = next((index for index, message in enumerate(messages) if message.prefix), None)
        partial = frozenset(index for index, message in enumerate(messages) if message.ranges or message.prefix)
        fields = [message.fields for message in messages]
        given = conversation.tools, conversation.documents, self._variables
        how = conversation.plain_text, conversation.sampled
        return Chat(fields, *given, partial, prefix, made.cut, self._template, *how)

    @staticmethod
    def renumbered(labelled: Labelled, made: PreparedSequence) -> Labelled:
        """Return a row with its messages numbered as in the chat of its sequence."""
        if made.kept is None:
            return labelled
        place = {message: index for index, message in enumerate(made.kept)}
        spans = tuple(span._replace(message=place.get(span.message, -1)) for span in labelled.spans)
        return replace(labelled, spans=spans)
