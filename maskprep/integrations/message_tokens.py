"""Conversations as token ids with the message and the author of each token: what a renderer returns.

ids       <bos> <|user|> Hi <|end|> <|assistant|> Hello <|end|> <|assistant|>
message    -1      0     0    0          1          1      1         -1          the generation prompt is of none
sampled     ·      ·     ·    ·          ·          ✓      ✓          ·
content     ·      ·     ✓    ·          ·          ✓      ✓          ·

A conversation may end with anything here: what a server feeds the model is a conversation, too. A turn counts as
sampled only where the text in front of it is what a server feeds the model when it is that turn's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from maskprep.arrays import Ints, byte_limits
from maskprep.conversation import Conversation
from maskprep.errors import RowError, UsageError
from maskprep.examples.advice import Adviser
from maskprep.examples.control_tokens import ControlTokens
from maskprep.examples.labels import label
from maskprep.examples.sequences import SequenceBuilder, TrainingSequence
from maskprep.formats import parse
from maskprep.integrations.message_borders import MessageBorders
from maskprep.memory.example import Rejected
from maskprep.memory.lines import lines_of
from maskprep.memory.masker import RowMasker
from maskprep.policy import Control, History
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.locate import locate
from maskprep.template.turns.prover import read_as_chosen
from maskprep.template.turns.turn import Turn

_BODIES = frozenset({"content", "reasoning", "tool_call"})


@dataclass(frozen=True, slots=True)
class MessageTokens:
    """Token ids; of each the index of its message (-1: of none), whether it was sampled, and whether a message's."""

    ids: list[int]
    messages: list[int]
    sampled: list[bool]
    content: list[bool]


@dataclass(frozen=True, slots=True)
class Read:
    """A conversation as the template reads it best, its proved turns, and those of them that the model sampled."""

    conversation: Conversation
    template: ChatTemplate
    turns: tuple[Turn, ...] = ()
    selected: Mapping[int, Turn] | None = None


class MessageTokenizer:
    """Makes token ids of conversations with one tokenizer, by the settings of a masker.

    Args:
        rows: reads and proves the conversations. Its ``history`` is ``mask`` or ``rendered``.

    Raises:
        UsageError: a setting would make other sequences than the conversation as it stands.
    """

    def __init__(self, rows: RowMasker) -> None:
        config = rows.config
        if config.history not in {History.MASK, History.RENDERED}:
            msg = f"history: {config.history}: a renderer returns one rendering of a conversation"
            raise UsageError(msg, "choose mask (turns in their own context alone), or rendered")
        if config.control_tokens is Control.ESCAPE:
            raise UsageError("control_tokens: escape: a renderer's ids are those of the text", "choose reject or keep")
        if config.max_length is not None:
            raise UsageError("max_length: a renderer leaves nothing out", "cut what it returns")
        self._rows, self._preparer = rows, rows.preparer
        self._builder = SequenceBuilder(rows.preparer.encoder)
        self._borders = MessageBorders(rows.loaded)
        self._control = {
            template.source: ControlTokens(rows.loaded, template, self._preparer.stops)
            for template in self._preparer.templates.values()
        }

    def tokens(self, messages: Sequence[Mapping[str, Any]], tools: Any = None, *, prompted: bool) -> MessageTokens:
        """Return a conversation as tokens; ``prompted``: with the generation prompt behind it.

        Raises:
            Rejected: the law refuses the conversation, with the reason and what to do.
        """
        conversation = None
        try:
            conversation = self.parsed(messages, tools)
            read = self.read(conversation, prompted=prompted)
            text = read.template.tracked(read.conversation, len(messages), generation_prompt=prompted)
            return self._tokens(read, text, prompted=prompted)[0]
        except RowError as error:
            raise self.rejected(error, conversation) from error

    def parsed(self, messages: Sequence[Mapping[str, Any]], tools: Any = None) -> Conversation:
        """Return messages and tools as a conversation. Raises ``RowError``."""
        row = {"messages": [dict(message) for message in messages], **({"tools": tools} if tools else {})}
        (line,) = lines_of([row], self._rows.config.max_row_bytes)
        found = parse(replace(line, reading=self._rows.reading))
        if len(found.messages) != len(messages):
            msg = f"{len(messages)} messages are read as {len(found.messages)}: no token could be told whose it is"
            raise RowError("bad-message", msg, "give each message as the chat template is to read it")
        return found

    def read(self, conversation: Conversation, *, prompted: bool = False) -> Read:
        """Return a conversation with its turns proved; it may have none. Raises ``RowError``.

        Where it is ``prompted``, the server feeds what the template writes, whether or not earlier turns fit the
        prompts in front of them: these are then not held for sampled.
        """
        try:
            proved = self._preparer.prove(conversation)
        except RowError as error:
            if error.code != "nothing-to-train" and not (prompted and error.code == "prompt-mismatch"):
                raise
            template = self._preparer.templates[conversation.tools is not None]
            return Read(read_as_chosen(template, conversation, self._preparer.policy)[0], template)
        return Read(proved.conversation, proved.template, proved.turns, proved.selected)

    def written(self, read: Read, message: int) -> tuple[str, str] | None:
        """Return what stands for an assistant's message in the whole conversation, and the stop token behind it.

        None where none of its text does. Raises ``RowError``.
        """
        turn = next((turn for turn in read.turns if turn.message == message), None)
        if turn is None:
            return None
        conversation, count = read.conversation, len(read.conversation.messages)
        whole = read.template.tracked(conversation, count, generation_prompt=False)
        if message == count - 1 or turn.begins(whole):
            return turn.text.between(turn.start, turn.stop), turn.text.between(turn.stop, turn.end)
        place = locate(read.template, conversation, whole, [turn], self._preparer.stops).get(message)
        return place and (whole.between(*place[:2]), whole.between(*place[1:]))

    def rejected(self, error: RowError, conversation: Conversation | None) -> Rejected:
        """Return the reason why a conversation cannot be used, with what to do."""
        (line,) = lines_of([{}], self._rows.config.max_row_bytes)
        return Rejected.of(Adviser(self._preparer).advise(error, line.where, conversation), 0)

    def tokens_from(self, read: Read, prompt: Rendered, position: int, message: int) -> MessageTokens | None:
        """Return the tokens of a prompt from ``position`` on, its messages numbered from ``message`` on.

        None where a token goes across the position. Raises ``RowError``.
        """
        made, sequence = self._tokens(read, prompt, prompted=True)
        first, _ = _tokens_between(sequence, position, len(prompt))
        if first and int(sequence.encoded.ends[first - 1]) > len(prompt.between(0, position).encode()):
            return None
        numbers = [max(number - message, -1) for number in made.messages[first:]]
        return MessageTokens(made.ids[first:], numbers, made.sampled[first:], made.content[first:])

    def _tokens(self, read: Read, text: Rendered, *, prompted: bool) -> tuple[MessageTokens, TrainingSequence]:
        """Return the tokens of a conversation that was rendered, and the sequence that they are."""
        conversation = read.conversation
        sequence = self._sequence(read, text, prompted=prompted)
        mode = self._preparer.policy.control
        sequence = self._control[read.template.source].settle(sequence, conversation, mode)
        labelled = label(sequence, conversation.messages, self._preparer.policy)
        size = len(labelled.input_ids)
        owner = np.full(size, -1, np.int64)
        content = np.zeros(size, np.bool_)
        assistants = np.asarray([message.role == "assistant" for message in conversation.messages])
        limits = self._borders.of(read.template, conversation, text, prompted=prompted)
        stretches = [
            *((low, high, message) for message, (low, high) in enumerate(pairwise(limits))),
            *((each.start, each.end, each.message) for each in sequence.completions),
        ]
        for low, high, message in stretches:
            first, last = _tokens_between(sequence, low, high)
            owner[first:last] = message
        for span in labelled.spans:
            if span.message >= 0 and span.part in _BODIES:
                content[span.start : span.end] = owner[span.start : span.end] == span.message
        sampled = labelled.labels == labelled.input_ids
        said = (owner >= 0) & assistants[owner]
        content = np.where(said, sampled, content)
        columns = (column.tolist() for column in (labelled.input_ids, owner, sampled, content))
        return MessageTokens(*columns), sequence

    def _sequence(self, read: Read, text: Rendered, *, prompted: bool) -> TrainingSequence:
        """Return a text encoded, with the completions that the model sampled there marked as trained."""
        selected = dict(read.selected or {})
        rendered = self._rows.config.history is History.RENDERED
        if selected and rendered:
            astray = [turn for turn in selected.values() if not turn.begins(text)]
            located = locate(read.template, read.conversation, text, astray, self._preparer.stops)
            found = self._builder.build(History.RENDERED, text, read.turns, selected, located).sequences[0]
            if not (prompted and found.borders):
                return found
        while selected:
            found = self._builder.over(text, read.turns, selected)
            trained = [each.message for each in found.completions if each.trained]
            # A prompt is fed as it is: there, no token is split in front of a turn.
            if trained and not (prompted and found.borders):
                return found
            if not trained:
                break
            del selected[trained[-1]]
        return TrainingSequence(text, (), self._preparer.encoder.encode(text.text))


def _tokens_between(sequence: TrainingSequence, low: int, high: int) -> tuple[int, int]:
    """Return the first token that begins within characters ``low:high``, and the one behind the last."""
    limits: Ints = byte_limits(sequence.text.text, np.asarray([low, high], np.int64))
    first, last = np.searchsorted(sequence.encoded.starts, limits, side="left").tolist()
    return first, last
