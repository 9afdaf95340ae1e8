"""Sequences that are too long: cut at the end, or made again from fewer messages.

    drop_turns   head  [exchange] [exchange]  exchange  exchange      the oldest exchanges go, whole
    split        head  exchange  exchange │ head  exchange …          every completion stays, in windows of its own
    truncate     head  exchange  exchange  exch…                      the end goes, behind the last completion that fits

What is made from fewer messages is rendered and proved again: its context is what a server would send for the shorter
conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.prepare.exchanges import Exchange, exchanges
from maskprep.prepare.policy import Overflow
from maskprep.prepare.prepared import Loss, Prepared, PreparedSequence
from maskprep.tokenizer.encode import Encoded

Make = Callable[[Conversation, Collection[int]], Prepared]
"""Prepares a conversation, training the turns with these indices only."""

_CODES = {
    Overflow.DROP_TURNS: "turns-dropped",
    Overflow.TRUNCATE: "truncated",
    Overflow.SPLIT: "windows-made",
}


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
    if mode is Overflow.REJECT:
        hint = "raise --max-length, leave such rows out, or choose another `overflow`"
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
    return Prepared(tuple(kept), (*prepared.findings, Finding(_CODES[mode], detail)), loss)


def truncate(sequence: PreparedSequence, limit: int) -> PreparedSequence | None:
    """Return the beginning of a sequence, up to the last whole completion within ``limit`` tokens.

    Only where the very first completion goes beyond, it is cut off at the limit; None where it begins there.
    """
    source, labelled = sequence.sequence, sequence.labelled
    trained = [stretch for stretch in source.stretches if stretch.trained]
    ends = [_tokens_before(source.encoded, len(source.text.text[: stretch.end].encode())) for stretch in trained]
    size = max((end for end in ends if end <= limit), default=limit)
    labels = labelled.labels[:size]
    spans = tuple(span._replace(end=min(span.end, size)) for span in labelled.spans if span.start < size)
    if not any(span.trained for span in spans):
        return None
    weights = None if labelled.weights is None else labelled.weights[:size]
    shorter = replace(labelled, input_ids=labelled.input_ids[:size], labels=labels, spans=spans, weights=weights)
    unfaithful = min(sequence.unfaithful, shorter.trained_tokens)
    return replace(sequence, labelled=shorter, unfaithful=unfaithful, cut=True)


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
        """Yield windows of whole exchanges; one that is too long by itself gives windows of whole rounds."""
        first = 0
        while first < len(self._exchanges):
            made, after = self._longest(self._head, [unit.messages for unit in self._exchanges], first)
            if made:
                yield from made
            elif after == first:
                unit = self._exchanges[first]
                yield from self._rounds(unit)
                after = first + 1
            first = after

    def _rounds(self, unit: Exchange) -> Iterator[PreparedSequence]:
        first = 0
        while first < len(unit.rounds):
            made, after = self._longest(self._head + unit.asked, unit.rounds, first)
            # What follows a completion need not stand in a window that it ends.
            yield from made or self._fitting(self._head + unit.asked + unit.rounds[first][:1])
            first = max(after, first + 1)

    def _longest(
        self, before: tuple[int, ...], units: Sequence[tuple[int, ...]], first: int
    ) -> tuple[list[PreparedSequence], int]:
        """Return the sequences of the longest window that begins with unit ``first``, and the unit behind it.

        Units that train nothing are skipped. Without a window that fits, the unit behind is ``first``.
        """
        if not self._trained.intersection(units[first]):
            return [], first + 1
        sizes = np.cumsum([self._own[list(before)].sum(), *(self._own[list(unit)].sum() for unit in units[first:])])
        # The text of the messages alone: the window that fits holds no more units than that.
        for after in range(first + int(np.searchsorted(sizes[1:], self._limit, side="right")), first, -1):
            kept = before + tuple(index for unit in units[first:after] for index in unit)
            if made := self._fitting(kept):
                return made, after
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
    """Return the same with the messages numbered as in the whole conversation."""
    spans = tuple(
        span._replace(message=kept[span.message]) if span.message >= 0 else span for span in sequence.labelled.spans
    )
    return replace(sequence, labelled=replace(sequence.labelled, spans=spans), kept=kept)
