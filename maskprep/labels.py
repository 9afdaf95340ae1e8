"""Which tokens are trained, and what each token is: sequence + policy → labels and spans.

A token is trained exactly when all of its characters lie in trained completions and in parts that the policy selects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from maskprep.conversation import Message, Part
from maskprep.errors import RowError
from maskprep.sequences import Stretch, TrainingSequence
from maskprep.template.source import CALL_ID, FIRST_RANGE, is_lost, message_of, part_of, shade_of
from maskprep.tokenizer.encode import Ints

Floats = npt.NDArray[np.float32]

IGNORED = -100
"""The label of a token that is not trained, as PyTorch's cross-entropy has it."""


class Span(NamedTuple):
    """Tokens ``start:end`` of one kind; spans tile a row. ``message`` is -1 for text that belongs to none."""

    role: str
    part: str
    message: int
    start: int
    end: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A finished sequence: ``input_ids`` and unshifted ``labels``, of one length, and the spans that tile them.

    ``weights``, of the same length, is what each token counts in the loss, 0 where it is not trained; None where every
    trained token counts 1.
    """

    input_ids: Ints
    labels: Ints
    spans: tuple[Span, ...]
    weights: Floats | None = None

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that are trained."""
        return int((self.labels != IGNORED).sum())


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


class _Segment(NamedTuple):
    """Characters up to ``end`` of one kind, and what they count in the loss."""

    end: int
    role: str
    part: Part
    message: int
    weight: float


def label(sequence: TrainingSequence, messages: Sequence[Message], policy: MaskPolicy) -> Labelled:
    """Return the labels and spans of a sequence.

    Args:
        sequence: the sequence, encoded.
        messages: the messages of the conversation.
        policy: what is trained within the completions.
    """
    ids, starts, ends = sequence.encoded.ids, sequence.encoded.starts, sequence.encoded.ends
    if not len(ids):
        return Labelled(ids, ids.copy(), ())
    segments = list(_segments(sequence, messages, policy))
    limits = _byte_limits(sequence.text.text, [segment.end for segment in segments])
    first = np.minimum(np.searchsorted(limits, starts, side="right"), len(segments) - 1)
    last = np.minimum(np.searchsorted(limits, np.maximum(ends - 1, starts), side="right"), len(segments) - 1)
    weights = _least(np.asarray([segment.weight for segment in segments], np.float32), first, last)
    weights[0] = 0  # nothing precedes the first token: no model can be asked for it
    trained = weights > 0
    labels = np.where(trained, ids, IGNORED)
    kinds = {segment[1:4] for segment in segments}
    number = {kind: index for index, kind in enumerate(kinds)}
    kind_of = np.asarray([number[segment[1:4]] for segment in segments])[first]
    spans = tuple(_spans(kind_of * 2 + trained, {index: kind for kind, index in number.items()}))
    plain = bool((weights[trained] == 1).all())
    return Labelled(ids, labels, spans, None if plain else weights)


def _least(weights: Floats, first: Ints, last: Ints) -> Floats:
    """Return of each token the least weight of the segments ``first`` to ``last`` that its characters lie in."""
    least = weights[first]
    for token in np.flatnonzero(last > first):
        least[token] = weights[first[token] : last[token] + 1].min()
    return least


def _segments(sequence: TrainingSequence, messages: Sequence[Message], policy: MaskPolicy) -> Iterator[_Segment]:
    """Yield the stretches of one kind that tile the text: runs of one source, cut where completions begin and end."""
    borders = {border for s in sequence.stretches for border in (s.start, *s.thought, s.stop, s.end)}
    waiting = sorted(borders, reverse=True)
    stretches = iter(sequence.stretches)
    stretch = next(stretches, None)
    for start, stop, source in sequence.text.places():
        position = start
        while position < stop:
            while waiting and waiting[-1] <= position:
                waiting.pop()
            while stretch is not None and stretch.end <= position:
                stretch = next(stretches, None)
            end = min(stop, waiting[-1]) if waiting else stop
            yield _segment(end, position, source, stretch, messages, policy)
            position = end


def _segment(  # noqa: PLR0913, PLR0917 - a stretch of text and all that decides on it
    end: int, start: int, source: int, stretch: Stretch | None, messages: Sequence[Message], policy: MaskPolicy
) -> _Segment:
    message, part = message_of(source), part_of(source)
    if stretch is None or start < stretch.start:
        return _Segment(end, messages[message].role if message >= 0 else "template", part, message, 0.0)
    # Within its completion the speaker writes the scaffold, too.
    message, part = (message, part) if source else (stretch.message, Part.SCAFFOLD)
    if stretch.trained and message != stretch.message:
        raise RowError(
            "foreign-text", f"text of another message stands in the completion of messages[{stretch.message}]"
        )
    if start >= stretch.stop:
        part = Part.STOP
    role = messages[message].role if message >= 0 else "template"
    emptied = not policy.empty_thoughts and stretch.thought[0] <= start < stretch.thought[1]
    trained = stretch.trained and not emptied
    return _Segment(end, role, part, message, policy.weight(messages[message], part, source) if trained else 0.0)


def _byte_limits(text: str, ends: Sequence[int]) -> Ints:
    """Return where the segments end, in bytes of UTF-8."""
    sizes = [len(text[start:end].encode()) for start, end in pairwise((0, *ends))]
    return np.cumsum(sizes, dtype=np.int64)


def _spans(kinds: Ints, names: dict[int, tuple[str, Part, int]]) -> Iterator[Span]:
    edges = np.flatnonzero(np.diff(kinds)) + 1
    for start, end in pairwise((0, *edges.tolist(), len(kinds))):
        role, part, message = names[int(kinds[start]) // 2]
        yield Span(role, part.value, message, start, end, bool(kinds[start] % 2))
