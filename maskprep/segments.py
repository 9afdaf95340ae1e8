r"""The stretches of one kind that tile a sequence: runs of one source, cut where completions begin and end.

text      <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n
runs      ├─ template ───┤├┤├─ template ──────────────────────┤├───┤├─ template ─┤
segments  ├─ scaffold ───┤├┤├─ scaffold ──────────────────────┤├───┤├─ stop ──┤├┤
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from maskprep.conversation import Message, Part
from maskprep.errors import RowError
from maskprep.sequences import Stretch, TrainingSequence
from maskprep.template.source import (
    CALL_ID,
    FIRST_RANGE,
    NOTATION,
    is_lost,
    message_of,
    part_of,
    shade_of,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

PARTS = tuple(Part)
"""The parts, by the numbers that kinds are made of: ``(message + 1) * len(PARTS) + part``."""


@dataclass(frozen=True, slots=True)
class MaskPolicy:
    """What is trained within the completions that a sequence trains.

    ``parts`` are the parts that are; ``empty_thoughts`` tells whether an empty thought that the template inserts is,
    ``call_ids`` whether the ids of tool calls are.
    """

    parts: Collection[Part]
    empty_thoughts: bool = True
    call_ids: bool = True

    def weight(self, message: Message, part: Part, source: int) -> float:
        """Return what text of ``message`` counts in the loss.

        Raises:
            RowError: the data tells stretches of the message apart, and the template has mixed them.
        """
        if part not in self.parts:
            return 0.0
        shade = shade_of(source)
        if shade == CALL_ID and not self.call_ids:
            return 0.0
        if shade >= FIRST_RANGE:
            return message.ranges[shade - FIRST_RANGE].weight
        if is_lost(source) and (message.ranges or not self.call_ids):
            msg = "the template mixes this text in a way that hides which of its characters are masked"
            raise RowError("provenance-lost", msg, "use a template without `%` formatting of message text")
        return message.weight


class Segments(NamedTuple):
    """Segments in order: where each ends, in characters; its kind; and what it counts in the loss."""

    ends: Ints
    kinds: Ints
    weights: Floats


def cut(sequence: TrainingSequence, messages: Sequence[Message], policy: MaskPolicy) -> Segments:
    """Return the segments of a sequence.

    Raises:
        RowError: a trained completion holds text of another message, or text of which nobody knows whether it is to be
            trained.
    """
    run_ends, sources = sequence.text.table()
    stretches = sequence.stretches
    borders = {border for s in stretches for border in (s.start, *s.thought, s.stop, s.end)}
    size = int(run_ends[-1]) if len(run_ends) else 0
    ends = np.union1d(run_ends, np.asarray([border for border in borders if 0 < border < size], np.int64))
    starts = np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1]))
    source = sources[np.searchsorted(run_ends, starts, side="right")]
    within = _within(starts, stretches)
    if len(sources) and (sources.max() >= NOTATION or (sources % _SOURCES == _LOST).any()):
        return _one_by_one(starts, ends, source, within, stretches, messages, policy)
    message = np.where(source > 0, source // _SOURCES - 2, -1)
    part = np.where(source > 0, _PART_OF[source % _SOURCES], _SCAFFOLD)
    weights = np.zeros(len(ends), np.float32)
    inside = np.flatnonzero(within >= 0)
    if len(inside):
        table = np.asarray([(s.message, s.stop, s.trained, *s.thought) for s in stretches], np.int64)[within[inside]]
        own, at = source[inside], starts[inside]
        # Within its completion the speaker writes the scaffold, too.
        message[inside] = whose = np.where(own > 0, message[inside], table[:, 0])
        trained = table[:, 2] > 0
        foreign = trained & (whose != table[:, 0])
        if foreign.any():
            raise _foreign(int(table[int(np.argmax(foreign)), 0]))
        part[inside] = parts = np.where(at >= table[:, 1], _STOP, part[inside])
        if not policy.empty_thoughts:
            trained &= ~((table[:, 3] <= at) & (at < table[:, 4]))
        counts = np.asarray([message.weight for message in messages], np.float32)
        chosen = np.asarray([part in policy.parts for part in PARTS])
        weights[inside] = np.where(trained & chosen[parts], counts[np.maximum(whose, 0)], 0)
    return Segments(ends, (message + 1) * len(PARTS) + part, weights)


def _within(starts: Ints, stretches: Sequence[Stretch]) -> Ints:
    """Return the number of the stretch that each segment lies in, -1 for none."""
    if not stretches:
        return np.full(len(starts), -1)
    # A stretch that ends behind the next one is not looked at any further once that one is.
    ends = np.maximum.accumulate(np.asarray([stretch.end for stretch in stretches], np.int64))
    found = np.searchsorted(ends, starts, side="right")
    begins = np.asarray([*(stretch.start for stretch in stretches), _NEVER], np.int64)
    return np.where(starts >= begins[found], found, -1)


def _one_by_one(  # noqa: PLR0913, PLR0917 - segments, and all that decides on them
    starts: Ints,
    ends: Ints,
    sources: Ints,
    within: Ints,
    stretches: Sequence[Stretch],
    messages: Sequence[Message],
    policy: MaskPolicy,
) -> Segments:
    """Return the segments of text of which stretches are told apart, or that is lost."""
    kinds, weights = [], []
    for start, source, number in zip(starts.tolist(), sources.tolist(), within.tolist(), strict=True):
        message, part, weight = message_of(source), part_of(source), 0.0
        if number >= 0:
            stretch = stretches[number]
            message, part = (message, part) if source else (stretch.message, Part.SCAFFOLD)
            if stretch.trained and message != stretch.message:
                raise _foreign(stretch.message)
            if start >= stretch.stop:
                part = Part.STOP
            emptied = not policy.empty_thoughts and stretch.thought[0] <= start < stretch.thought[1]
            if stretch.trained and not emptied:
                weight = policy.weight(messages[message], part, source)
        kinds.append((message + 1) * len(PARTS) + PARTS.index(part))
        weights.append(weight)
    return Segments(ends, np.asarray(kinds, np.int64), np.asarray(weights, np.float32))


def _foreign(message: int) -> RowError:
    return RowError("foreign-text", f"text of another message stands in the completion of messages[{message}]")


_SOURCES = 16  # see ``source``: the number of parts that a source can name
_LOST = 15
_NEVER = np.iinfo(np.int64).max
_PART_OF = np.asarray([PARTS.index(part_of(32 + number)) if number < 5 else 0 for number in range(_SOURCES)])  # noqa: PLR2004
_SCAFFOLD, _STOP = PARTS.index(Part.SCAFFOLD), PARTS.index(Part.STOP)
