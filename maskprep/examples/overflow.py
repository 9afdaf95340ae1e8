"""Sequences that are too long: cut at the end, or made again from fewer messages.

    drop_turns   head  [exchange] [exchange]  exchange  exchange      the oldest exchanges go, whole
    split        head  exchange  exchange │ head  exchange …          the others follow in windows of their own
    truncate     head  exchange  exchange  exch…                      the end goes, behind the last completion that fits

head        system and developer messages at the beginning: never left out
exchange    what a user asks, and everything up to the next question
round       within an exchange: an assistant's message, the tool results that answer its calls, and what else stands
            before the next one: a system message in the middle of an exchange breaks no exchange in two

An exchange that is too long for a window of its own is cut behind its last round that fits: an answer never stands
without the calls and results of its own exchange that it is built on. What no window can hold is left out and counted.

What is made from fewer messages is rendered and proved again: its context is what a server would send for the shorter
conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.examples.prepared import Loss, Prepared, PreparedSequence
from maskprep.policy import Overflow
from maskprep.tokenizer.encode import Encoded

Make = Callable[[Conversation, Collection[int]], Prepared]
"""Prepares a conversation, training the turns with these indices only."""

_CODES = {
    Overflow.DROP_TURNS: "turns-dropped",
    Overflow.TRUNCATE: "truncated",
    Overflow.SPLIT: "windows-made",
}
_SHOWN = 8  # messages that a finding names


def fit(conversation: Conversation, prepared: Prepared, limit: int, mode: Overflow, make: Make) -> Prepared:
    """Return what is left of a row when no sequence may have more than ``limit`` tokens.

    Args:
        conversation: what the row holds.
        prepared: all of its sequences.
        limit: the longest sequence, in tokens.
        mode: what to do with those that are longer.
        make: prepares a conversation again.

    Raises:
        RowError: ``too-long``, where nothing trained is left, or nothing may be left out.
    """
    longest = max(map(len, prepared.sequences))
    if longest <= limit:
        return prepared
    msg = f"a sequence has {longest:,} tokens, more than max_length {limit:,}"
    whole = sum(map(len, prepared.sequences))
    trained = sum(sequence.labelled.trained_tokens for sequence in prepared.sequences)
    facts = {"tokens": whole, "trained_tokens": trained}
    as_fed = conversation.sampled and mode is not Overflow.TRUNCATE
    if mode is Overflow.REJECT or as_fed:
        other = "say overflow: truncate, as turns behind other ids were never sampled"
        hint = f"raise --max-length, leave such rows out, or {other if as_fed else 'choose another `overflow`'}"
        raise RowError("too-long", msg, hint, facts)
    kept: list[PreparedSequence] = []
    for sequence in prepared.sequences:
        if len(sequence) <= limit:
            kept.append(sequence)
        elif mode is Overflow.TRUNCATE:
            cut = truncate(sequence, limit)
            kept += [cut] if cut else []
        else:
            kept += _Shortener(conversation, sequence, limit, make).shorten(mode)
    if not kept:
        hint = "raise --max-length, or leave such rows out"
        raise RowError("too-long", f"{msg}, and overflow: {mode} leaves nothing to train", hint, facts)
    left = sum(sequence.labelled.trained_tokens for sequence in kept)
    loss = Loss(whole, trained, sum(map(len, kept)), left)
    detail = f"{loss.trained:,} of {loss.trained_before:,} trained tokens are left, in {len(kept)} sequences"
    lost = sorted(_trained_messages(prepared.sequences) - _trained_messages(kept))
    if lost:
        shown = ", ".join(map(str, lost[:_SHOWN])) + (" …" if len(lost) > _SHOWN else "")
        detail += f"; {len(lost)} trained messages are left out: {shown}"
    return Prepared(tuple(kept), (*prepared.findings, Finding(_CODES[mode], detail)), loss)


def truncate(sequence: PreparedSequence, limit: int) -> PreparedSequence | None:
    """Return the beginning of a sequence, up to the last whole completion within ``limit`` tokens.

    None where no completion fits whole: half an answer would teach the model to stop in the middle, or never to stop.
    """
    source, labelled = sequence.sequence, sequence.labelled
    trained = [completion for completion in source.completions if completion.trained]
    if len(source.text):
        places = [len(source.text.text[: completion.end].encode()) for completion in trained]
        ends = [_tokens_before(source.encoded, place) for place in places]
    else:  # it was never a text
        ends = [completion.end for completion in trained]
    size = max((end for end in ends if end <= limit), default=0)
    cut = PreparedSequence.of(labelled.beginning(size), source)
    return None if cut is None else replace(cut, cut=True)


def _trained_messages(sequences: Sequence[PreparedSequence]) -> set[int]:
    return {message for sequence in sequences for message in sequence.trained_messages}


def _tokens_before(encoded: Encoded, end: int) -> int:
    """Return how many tokens it takes to have all bytes up to ``end``."""
    return int(np.searchsorted(encoded.ends, end, side="left")) + 1


class _Shortener:
    """Makes one sequence again, from fewer messages."""

    def __init__(self, conversation: Conversation, sequence: PreparedSequence, limit: int, make: Make) -> None:
        self._conversation, self._limit, self._make = conversation, limit, make
        self._trained = sequence.trained_messages
        # Whatever follows the last trained turn is not needed.
        messages = conversation.messages[: max(self._trained) + 1]
        self._head, self._exchanges = exchanges(messages)
        self._own = np.zeros(len(messages), np.int64)
        for span in sequence.labelled.spans:
            if 0 <= span.message < len(messages):
                self._own[span.message] += span.end - span.start

    def shorten(self, mode: Overflow) -> list[PreparedSequence]:
        return self._drop() if mode is Overflow.DROP_TURNS else list(self._windows())

    def _drop(self) -> list[PreparedSequence]:
        """Leave out as few of the oldest exchanges as it takes."""
        for first in range(len(self._exchanges)):
            kept = self._head + _messages(self._exchanges[first:])
            if made := self._fitting(kept):
                return made
        return []

    def _windows(self) -> Iterator[PreparedSequence]:
        """Yield windows of whole exchanges; of one that is too long by itself, the beginning that fits."""
        first = 0
        while first < len(self._exchanges):
            made, after = self._longest(first)
            yield from made
            if after == first:
                yield from self._beginning(self._exchanges[first])
                after = first + 1
            first = after

    def _beginning(self, unit: Exchange) -> list[PreparedSequence]:
        """Return the sequences of the longest beginning of an exchange that fits, behind the head.

        A later round is built on all earlier ones, so it can stand in no window without them. What follows the last
        completion that is trained need not be there.
        """
        messages = unit.messages
        rounds = accumulate((len(part) for part in unit.rounds), initial=len(unit.asked))
        trained = (number for number, index in enumerate(messages, 1) if index in self._trained)
        for size in sorted({*rounds, *trained}, reverse=True):
            if made := self._fitting(self._head + messages[:size]):
                return made
        return []

    def _longest(self, first: int) -> tuple[list[PreparedSequence], int]:
        """Return the sequences of the longest window that begins with exchange ``first``, and the exchange behind it.

        Exchanges that train nothing are skipped. Without a window that fits, the exchange behind is ``first``.
        """
        units = [unit.messages for unit in self._exchanges[first:]]
        if not self._trained.intersection(units[0]):
            return [], first + 1
        sizes = np.cumsum([self._own[list(self._head)].sum(), *(self._own[list(unit)].sum() for unit in units)])
        # The text of the messages alone: the window that fits holds no more exchanges than that.
        for count in range(int(np.searchsorted(sizes[1:], self._limit, side="right")), 0, -1):
            if made := self._fitting(self._head + _messages(self._exchanges[first : first + count])):
                return made, first + count
        return [], first

    def _fitting(self, kept: tuple[int, ...]) -> list[PreparedSequence]:
        """Return the sequences of a conversation of these messages, none where they do not fit or cannot be used."""
        wanted = self._trained.intersection(kept)
        if not wanted or self._own[list(kept)].sum() > self._limit:
            return []
        conversation = self._conversation
        shorter = replace(conversation, messages=tuple(conversation.messages[index] for index in kept))
        try:
            made = self._make(shorter, [kept.index(message) for message in sorted(wanted)]).sequences
        except RowError:
            return []
        if any(len(sequence) > self._limit for sequence in made):
            return []
        return [_renumbered(sequence, kept) for sequence in made]


def _messages(units: Sequence[Exchange]) -> tuple[int, ...]:
    return tuple(index for unit in units for index in unit.messages)


def _renumbered(sequence: PreparedSequence, kept: tuple[int, ...]) -> PreparedSequence:
    """Return a sequence whose spans number the messages as they are numbered in the whole conversation."""
    spans = tuple(
        span._replace(message=kept[span.message]) if span.message >= 0 else span for span in sequence.labelled.spans
    )
    return replace(sequence, labelled=replace(sequence.labelled, spans=spans), kept=kept)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The indices of the messages of one exchange: what was ``asked``, and the ``rounds`` of the answer."""

    asked: tuple[int, ...]
    rounds: tuple[tuple[int, ...], ...]

    @property
    def messages(self) -> tuple[int, ...]:
        """All of them, in order."""
        return self.asked + tuple(index for part in self.rounds for index in part)


def exchanges(messages: Sequence[Message]) -> tuple[tuple[int, ...], list[Exchange]]:
    """Return the indices of the head and the exchanges that follow it, in order."""
    roles = [message.role for message in messages]
    size = next((index for index, role in enumerate(roles) if role not in {"system", "developer"}), len(roles))
    found: list[Exchange] = []
    asked: list[int] = []
    rounds: list[list[int]] = []
    waiting: list[int] = []  # system messages behind an answer: of this exchange if it goes on, else of the next
    for index in range(size, len(roles)):
        role = roles[index]
        if role in {"assistant", "tool"} and rounds:
            rounds[-1] += waiting
            waiting = []
        if role == "assistant":
            rounds.append([index])
        elif role == "tool" and rounds:
            rounds[-1].append(index)
        elif role in {"system", "developer"} and rounds:
            waiting.append(index)
        else:
            if rounds:
                found.append(Exchange(tuple(asked), tuple(map(tuple, rounds))))
                asked, rounds, waiting = waiting, [], []
            asked.append(index)
    if asked or rounds:
        found.append(Exchange(tuple(asked), tuple(map(tuple, rounds))))
    if waiting:
        found.append(Exchange(tuple(waiting), ()))
    return tuple(range(size)), found
