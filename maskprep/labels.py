"""Which tokens are trained, and what each token is: sequence + policy → labels and spans.

A token is trained exactly when all of its characters lie in trained completions and in parts that the policy selects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from maskprep.conversation import Part
from maskprep.errors import RowError
from maskprep.sequences import Stretch, TrainingSequence
from maskprep.template.source import message_of, part_of
from maskprep.tokenizer.encode import Ints

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
    """A finished sequence: ``input_ids`` and unshifted ``labels``, of one length, and the spans that tile them."""

    input_ids: Ints
    labels: Ints
    spans: tuple[Span, ...]

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that are trained."""
        return int((self.labels != IGNORED).sum())


class _Segment(NamedTuple):
    """Characters up to ``end`` of one kind."""

    end: int
    role: str
    part: Part
    message: int
    trained: bool


def label(sequence: TrainingSequence, roles: Sequence[str], parts: Collection[Part]) -> Labelled:
    """Return the labels and spans of a sequence.

    Args:
        sequence: the sequence, encoded.
        roles: the role of each message of the conversation.
        parts: the parts of a completion that are trained.
    """
    ids, starts, ends = sequence.encoded.ids, sequence.encoded.starts, sequence.encoded.ends
    if not len(ids):
        return Labelled(ids, ids.copy(), ())
    segments = list(_segments(sequence, roles, parts))
    limits = _byte_limits(sequence.text.text, [segment.end for segment in segments])
    first = np.searchsorted(limits, starts, side="right")
    last = np.searchsorted(limits, np.maximum(ends - 1, starts), side="right")
    masked = np.concatenate(([0], np.cumsum([not segment.trained for segment in segments])))
    trained = masked[np.minimum(last + 1, len(segments))] == masked[first]
    trained[0] = False  # nothing precedes the first token: no model can be asked for it
    labels = np.where(trained, ids, IGNORED)
    kinds = {segment[1:4] for segment in segments}
    number = {kind: index for index, kind in enumerate(kinds)}
    kind_of = np.asarray([number[segment[1:4]] for segment in segments])[np.minimum(first, len(segments) - 1)]
    return Labelled(ids, labels, tuple(_spans(kind_of * 2 + trained, {index: kind for kind, index in number.items()})))


def _segments(sequence: TrainingSequence, roles: Sequence[str], parts: Collection[Part]) -> Iterator[_Segment]:
    """Yield the stretches of one kind that tile the text: runs of one source, cut where completions begin and end."""
    borders = {border for s in sequence.stretches for border in (s.start, s.stop, s.end)}
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
            yield _segment(end, position, source, stretch, roles, parts)
            position = end


def _segment(  # noqa: PLR0913, PLR0917 - a stretch of text and all that decides on it
    end: int, start: int, source: int, stretch: Stretch | None, roles: Sequence[str], parts: Collection[Part]
) -> _Segment:
    message, part = message_of(source), part_of(source)
    if stretch is not None and stretch.start <= start:
        # Within its completion the assistant writes the scaffold, too.
        message, part = (message, part) if source else (stretch.message, Part.SCAFFOLD)
        if stretch.trained and message != stretch.message:
            raise RowError(
                "foreign-text", f"text of another message stands in the completion of messages[{stretch.message}]"
            )
        if start >= stretch.stop:
            part = Part.STOP
        return _Segment(end, roles[message], part, message, stretch.trained and part in parts)
    return _Segment(end, roles[message] if message >= 0 else "template", part, message, trained=False)


def _byte_limits(text: str, ends: Sequence[int]) -> Ints:
    """Return where the segments end, in bytes of UTF-8."""
    sizes = [len(text[start:end].encode()) for start, end in pairwise((0, *ends))]
    return np.cumsum(sizes, dtype=np.int64)


def _spans(kinds: Ints, names: dict[int, tuple[str, Part, int]]) -> Iterator[Span]:
    edges = np.flatnonzero(np.diff(kinds)) + 1
    for start, end in pairwise((0, *edges.tolist(), len(kinds))):
        role, part, message = names[int(kinds[start]) // 2]
        yield Span(role, part.value, message, start, end, bool(kinds[start] % 2))
