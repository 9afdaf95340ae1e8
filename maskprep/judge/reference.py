"""What a source row becomes by the law: its renderings, each with what every token is, and its turns.

``split`` gives each turn in exactly its own context, ``rendered`` the one rendering that most tools train on. A turn
whose prompt does not fit the data is in none of the first, and is known by the second alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from maskprep.arrays import Ints
from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.prepared import PreparedRow, PreparedSequence
from maskprep.formats import Line
from maskprep.labelled import Labelled
from maskprep.policy import TRAINABLE, Control, History, Mismatch, Part, Policy
from maskprep.template.turns.turn import Fit


@dataclass(frozen=True, slots=True)
class ExpectedTurn:
    """A turn in its own context: ``ids[:start]`` are those of its prompt, ``ids[start:]`` those of its completion.

    ``reasoning`` is the number of tokens of the message's reasoning in it.
    """

    ids: Ints
    start: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Reference:
    """The renderings of one source row, ``history: rendered`` first, and its turns by their message.

    ``excluded`` are the messages of which the data keeps something out of the loss.
    """

    conversation: Conversation
    renderings: tuple[Labelled, ...]
    turns: dict[int, ExpectedTurn]
    excluded: frozenset[int]


class References:
    """Makes the references of source rows.

    Args:
        preparer: prepares rows as the configuration says; here, every turn and every part of it is wanted.
    """

    def __init__(self, preparer: Preparer) -> None:
        self._policy = preparer.policy
        self._all = preparer.under(_everything(preparer.policy))
        fits = preparer.policy.max_length is not None
        self._fitted = self._all.under(replace(self._all.policy, max_length=self._policy.max_length)) if fits else None

    def of(self, line: Line) -> Reference:
        """Return the reference of a source row. Raises ``RowError`` where it can be rendered in no way."""
        row = self._proved(line)
        proved = row.proved
        assert proved is not None
        found: dict[History, tuple[PreparedSequence, ...]] = {}
        failed: RowError | None = None
        for history in (History.RENDERED, History.SPLIT):
            try:
                found[history] = self._all.finish(proved, history).sequences
            except RowError as error:
                failed = error
        if failed is not None and not found:
            raise failed
        renderings = [each.labelled for each in (*found.get(History.RENDERED, ()), *found.get(History.SPLIT, ()))]
        if self._fitted is not None:
            with suppress(RowError):  # the row does not fit: then none of its documents was cut as configured
                renderings += [each.labelled for each in self._fitted.finish(proved, History.SPLIT).sequences]
        turns = {k: turn for each in found.get(History.SPLIT, ()) for k, turn in _turns(each)}
        if self._policy.mismatch is Mismatch.REJECT:  # no server asks for these
            turns = {k: turn for k, turn in turns.items() if proved.selected[k].fit is not Fit.TRAIN}
        messages = proved.conversation.messages
        excluded = frozenset(k for k, each in enumerate(messages) if not each.in_loss or each.ranges)
        return Reference(proved.conversation, tuple(renderings), turns, excluded)

    def _proved(self, line: Line) -> PreparedRow:
        ((row,),) = self._all.proved([line])
        if row.error is not None:
            raise row.error
        return row


def _everything(policy: Policy) -> Policy:
    """Return a policy that trains every turn, and all of it: what somebody else may train."""
    return replace(
        policy,
        history=History.SPLIT,
        mismatch=Mismatch.TRAIN if policy.mismatch is Mismatch.REJECT else policy.mismatch,
        turns="all",
        parts=frozenset(TRAINABLE),
        empty_thoughts=True,
        call_ids=True,
        max_length=None,
        control=Control.KEEP if policy.control is Control.REJECT else policy.control,
    )


def _turns(made: PreparedSequence) -> list[tuple[int, ExpectedTurn]]:
    """Return the turns that a sequence trains faithfully, by their messages."""
    doubtful = {each.message for each in made.sequence.completions if each.trained and not each.faithful}
    row, found = made.labelled, []
    for message in sorted(made.trained_messages - doubtful):
        own = [span for span in row.spans if span.trained and span.message == message]
        start, end = own[0].start, own[-1].end
        thought = sum(span.end - span.start for span in own if span.part == Part.REASONING)
        found.append((message, ExpectedTurn(row.input_ids[:end], start, thought)))
    return found


def longest_beginning(ids: Ints, renderings: Sequence[Labelled]) -> tuple[int, int]:
    """Return which rendering agrees with ``ids`` for the most tokens, and for how many; the first of equals."""
    most, number = -1, 0
    for index, each in enumerate(renderings):
        size = min(len(ids), len(each.input_ids))
        other = np.flatnonzero(ids[:size] != each.input_ids[:size])
        agree = int(other[0]) if len(other) else size
        if agree > most:
            most, number = agree, index
    return number, most
