"""Which tokens are trained, and what each token is: sequence + policy → labels and spans.

A token is trained exactly when all of its characters lie in trained completions and in parts that the policy selects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from maskprep.conversation import Message
from maskprep.segments import PARTS, Floats, Ints, MaskPolicy, cut
from maskprep.sequences import TrainingSequence

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
    segments = cut(sequence, messages, policy)
    limits = _byte_limits(sequence.text.text, segments.ends)
    if np.array_equal(starts[1:], ends[:-1]):
        first, weights = _tiled(segments.weights, limits, starts, ends)
    else:
        first = np.minimum(np.searchsorted(limits, starts, side="right"), len(limits) - 1)
        last = np.minimum(np.searchsorted(limits, np.maximum(ends - 1, starts), side="right"), len(limits) - 1)
        weights = _least(segments.weights, first, last)
    weights[0] = 0  # nothing precedes the first token: no model can be asked for it
    trained = weights > 0
    labels = np.where(trained, ids, IGNORED)
    spans = _spans(segments.kinds[first] * 2 + trained, messages)
    plain = bool((weights[trained] == 1).all())
    return Labelled(ids, labels, spans, None if plain else weights)


def _tiled(weights: Floats, limits: Ints, starts: Ints, ends: Ints) -> tuple[Ints, Floats]:
    """Return of each token the segment that it begins in, and its weight, where the tokens tile the text.

    So all but one of those that begin within a segment end there, too.
    """
    edges = np.searchsorted(starts, limits[:-1], side="left")
    sizes = np.diff(edges, prepend=0, append=len(starts))
    first = np.repeat(np.arange(len(limits)), sizes)
    least = np.repeat(weights, sizes)
    crossing = np.unique(edges[edges > 0] - 1)
    crossing = crossing[ends[crossing] > limits[first[crossing]]]
    for token in crossing.tolist():
        last = min(int(np.searchsorted(limits, ends[token] - 1, side="right")), len(limits) - 1)
        least[token] = weights[first[token] : last + 1].min()
    return first, least


def _least(weights: Floats, first: Ints, last: Ints) -> Floats:
    """Return of each token the least weight of the segments ``first`` to ``last`` that its characters lie in."""
    least = weights[first]
    for token in np.flatnonzero(last > first):
        least[token] = weights[first[token] : last[token] + 1].min()
    return least


def _byte_limits(text: str, ends: Ints) -> Ints:
    """Return where the segments end, in bytes of UTF-8."""
    if text.isascii():
        return ends
    sizes = [len(text[start:end].encode()) for start, end in pairwise((0, *ends.tolist()))]
    return np.cumsum(sizes, dtype=np.int64)


def _spans(kinds: Ints, messages: Sequence[Message]) -> tuple[Span, ...]:
    """Return the spans of tokens of these kinds (see ``segments``), doubled, plus one for those that are trained."""
    edges = np.flatnonzero(kinds[1:] != kinds[:-1]) + 1
    starts = [0, *edges.tolist()]
    count = len(PARTS)
    spans = []
    for start, end, number in zip(starts, [*starts[1:], len(kinds)], kinds[starts].tolist(), strict=True):
        message, part = divmod(number // 2, count)
        role = messages[message - 1].fields["role"] if message else "template"
        spans.append(Span(role, _NAMES[part], message - 1, start, end, number % 2 == 1))
    return tuple(spans)


_NAMES = tuple(part.value for part in PARTS)  # Python takes its time to look up what an enumeration holds
