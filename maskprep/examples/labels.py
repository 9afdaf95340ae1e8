"""Which tokens are trained, and what each token is: sequence + policy → labels and spans.

A token is trained exactly when all of its characters lie in trained completions and in parts that the policy selects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from maskprep.arrays import Floats, Ints, Kinds, byte_limits, holders
from maskprep.conversation import Message
from maskprep.examples.mask import PARTS, Marked, MaskSegments, TextRuns, cut, cut_all
from maskprep.examples.sequences import TrainingSequence
from maskprep.labelled import IGNORED, Labelled, Span, weights_or_none
from maskprep.policy import Policy
from maskprep.tokenizer.batch import EncodedBatch


def label(sequence: TrainingSequence, messages: Sequence[Message], policy: Policy) -> Labelled:
    """Return the labels and spans of a sequence.

    Args:
        sequence: the sequence, encoded.
        messages: the messages of the conversation.
        policy: what is trained within the completions.

    Raises:
        RowError: a trained completion holds text of another message, or text that may be trained or not (``mask.cut``).
    """
    ids, starts, ends = sequence.encoded.ids, sequence.encoded.starts, sequence.encoded.ends
    if not len(ids):
        return Labelled(ids, ids.copy(), ())
    segments = cut(Marked(sequence.text, sequence.completions, messages), policy)
    limits = byte_limits(sequence.text.text, segments.ends)
    if np.array_equal(starts[1:], ends[:-1]):
        kinds, weights = _tiled(segments, limits, starts, ends)
    else:
        first, last = holders(starts, ends, limits)
        kinds, weights = segments.kinds[first], _least(segments.weights, first, last)
    return _labelled(ids, kinds, weights, np.asarray([0, len(ids)], np.int64), [messages])[0]


def label_all(together: EncodedBatch, many: Sequence[Marked], runs: TextRuns, policy: Policy) -> list[Labelled | None]:
    """Return the labels and spans of many sequences, None for those that ``label`` is to be asked about.

    Args:
        together: their texts, encoded.
        many: what is marked in these.
        runs: who wrote what of these.
        policy: what is trained within the completions.
    """
    segments = cut_all(many, runs, policy)
    kinds, weights = _tiled(segments, together.in_bytes(segments.ends), together.edges[:-1], together.edges[1:])
    messages = [each.messages for each in many]
    if segments.odd.any():
        kinds[np.repeat(segments.odd, np.diff(together.tokens))] = 0
    labelled = _labelled(together.ids, kinds, weights, together.tokens, messages)
    return [None if odd else each for each, odd in zip(labelled, segments.odd.tolist(), strict=True)]


def _labelled(
    ids: Ints, kinds: Kinds, weights: Floats, limits: Ints, messages: Sequence[Sequence[Message]]
) -> list[Labelled]:
    """Return sequences one behind the other, by the kind and the weight of each token; ``limits`` part them."""
    weights[limits[:-1]] = 0  # nothing precedes a first token: no model can be asked for it
    trained = weights > 0
    kinds *= 2
    kinds += trained
    spans = _spans(kinds, limits, messages)
    labels = np.where(trained, ids, IGNORED)
    plain = bool(((weights == 1) | ~trained).all())
    return [
        Labelled(ids[low:high], labels[low:high], own, None if plain else weights_or_none(weights[low:high]))
        for own, (low, high) in zip(spans, pairwise(limits.tolist()), strict=True)
    ]


def _tiled(segments: MaskSegments, limits: Ints, starts: Ints, ends: Ints) -> tuple[Kinds, Floats]:
    """Return the kind of the segment that each token begins in, and its weight, where the tokens tile the text.

    So all but one of those that begin within a segment end there, too.
    """
    edges = np.searchsorted(starts, limits[:-1], side="left")
    sizes = np.diff(edges, prepend=0, append=len(starts))
    kinds, least = np.repeat(segments.kinds, sizes), np.repeat(segments.weights, sizes)
    crossing = np.unique(edges[edges > 0] - 1)
    first = np.searchsorted(edges, crossing, side="right")
    crosses = ends[crossing] > limits[first]
    for token, low in zip(crossing[crosses].tolist(), first[crosses].tolist(), strict=True):
        last = min(int(np.searchsorted(limits, ends[token] - 1, side="right")), len(limits) - 1)
        least[token] = segments.weights[low : last + 1].min()
    return kinds, least


def _least(weights: Floats, first: Ints, last: Ints) -> Floats:
    """Return of each token the least weight of the segments ``first`` to ``last`` that its characters lie in."""
    least = weights[first]
    for token in np.flatnonzero(last > first):
        least[token] = weights[first[token] : last[token] + 1].min()
    return least


def _spans(kinds: Kinds, limits: Ints, messages: Sequence[Sequence[Message]]) -> Iterator[tuple[Span, ...]]:
    """Yield the spans of each sequence: of tokens of these kinds (see ``mask.py``), doubled, plus 1 if trained."""
    changes = kinds[1:] != kinds[:-1]
    changes[limits[1:-1] - 1] = True
    starts = np.append(0, np.flatnonzero(changes) + 1)
    own = np.searchsorted(starts, limits)  # of which sequence the spans are
    starts_in = starts - np.repeat(limits[:-1], np.diff(own))
    numbers = kinds[starts].tolist()
    places = starts_in.tolist()
    for each, (low, high), size in zip(messages, pairwise(own.tolist()), np.diff(limits).tolist(), strict=True):
        ends = [*places[low + 1 : high], size]
        yield tuple(
            [
                _span(number, start, end, each)
                for number, start, end in zip(numbers[low:high], places[low:high], ends, strict=True)
            ]
        )


def _span(number: int, start: int, end: int, messages: Sequence[Message]) -> Span:
    message, part = divmod(number // 2, len(PARTS))
    role = messages[message - 1].fields["role"] if message else "template"
    return Span(role, _NAMES[part], message - 1, start, end, number % 2 == 1)


_NAMES = tuple(part.value for part in PARTS)  # Python takes its time to look up what an enumeration holds
