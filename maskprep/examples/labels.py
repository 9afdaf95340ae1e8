"""Which tokens are trained, and what each token is: sequence + policy → labels and spans.

A token is trained exactly when all of its characters lie in trained completions and in parts that the policy selects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskprep.arrays import Bools, Floats, Ints, Kinds, byte_limits, holders, last_alike, limits_of
from maskprep.conversation import Message
from maskprep.examples.mask import PARTS, Marked, MaskSegments, TextRuns, cut, cut_all
from maskprep.examples.sequences import TrainingSequence
from maskprep.labelled import IGNORED, Labelled, LabelledBatch, SpanColumns
from maskprep.policy import ROLES, Policy
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
    return next(iter(_labelled(ids, kinds, weights, np.asarray([0, len(ids)], np.int64), [messages])))


def label_all(
    together: EncodedBatch, many: Sequence[Marked], runs: TextRuns, policy: Policy
) -> tuple[LabelledBatch, Bools]:
    """Return the labels and spans of many sequences, and of each whether it is odd: one to ask ``label`` about.

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
    return _labelled(together.ids, kinds, weights, together.tokens, messages), segments.odd


def _labelled(
    ids: Ints, kinds: Kinds, weights: Floats, limits: Ints, messages: Sequence[Sequence[Message]]
) -> LabelledBatch:
    """Return sequences one behind the other, by the kind and the weight of each token; ``limits`` part them."""
    weights[limits[:-1]] = 0  # nothing precedes a first token: no model can be asked for it
    trained = weights > 0
    kinds *= 2
    kinds += trained
    labels = np.where(trained, ids, IGNORED)
    plain = bool(((weights == 1) | ~trained).all())
    return LabelledBatch(ids, labels, limits, *_spans(kinds, limits, messages), None if plain else weights)


def _tiled(segments: MaskSegments, limits: Ints, starts: Ints, ends: Ints) -> tuple[Kinds, Floats]:
    """Return the kind of the segment that each token begins in, and its weight, where the tokens tile the text.

    So all but one of those that begin within a segment end there, too.
    """
    edges = np.searchsorted(starts, limits[:-1], side="left")
    bounds = np.zeros(len(edges) + 2, np.int64)
    bounds[1:-1], bounds[-1] = edges, len(starts)
    sizes = bounds[1:] - bounds[:-1]
    kinds, least = np.repeat(segments.kinds, sizes), np.repeat(segments.weights, sizes)
    crossing = edges[edges > 0] - 1
    crossing = crossing[last_alike(crossing)]  # each once: they are in order
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


def _spans(kinds: Kinds, limits: Ints, messages: Sequence[Sequence[Message]]) -> tuple[SpanColumns, Ints]:
    """Return the spans of many sequences, and where those of each begin.

    A span is of tokens of one kind (see ``mask.py``), doubled, plus 1 if trained.
    """
    changes = kinds[1:] != kinds[:-1]
    changes[limits[1:-1] - 1] = True
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    span_limits = np.searchsorted(starts, limits)
    whose = np.repeat(np.arange(len(messages)), span_limits[1:] - span_limits[:-1])
    numbers, trained = np.divmod(kinds[starts].astype(np.int64), 2)
    message, part = np.divmod(numbers, len(PARTS))
    # The template's own text is of no message: number 0 here, and of the first role.
    roles = np.asarray([0, *(_CODES[message.fields["role"]] for each in messages for message in each)], np.int64)
    firsts = limits_of(map(len, messages))[whose]
    role = roles[np.where(message > 0, firsts + message, 0)]
    ends = np.append(starts[1:], limits[-1])
    places = starts - limits[whose], ends - limits[whose]
    return SpanColumns(role, part, message - 1, *places, trained > 0, _ROLES, _NAMES), span_limits


_ROLES = ("template", *ROLES)
_CODES = {role: code for code, role in enumerate(_ROLES)}
_NAMES = tuple(part.value for part in PARTS)
