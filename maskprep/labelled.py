r"""A labelled sequence: token ids, labels, and the spans that tell what each token is.

input_ids  <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n  Hello <|im_end|> \n
labels     -100 ────────────────────────────────────────────────────  Hello <|im_end|> -100
spans      ├─ scaffold ───────┤├ content ┤├─ scaffold ─────────────┤  ├ content ┤├ stop ┤├ scaffold ┤

Many of them are a ``LabelledBatch``: arrays of all sequences, one behind the other, from which the spans of one$
are made when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from maskprep.arrays import Bools, Floats, Ints, limits_of, positions

IGNORED = -100
"""The label of a token that is not trained, as PyTorch's cross-entropy has it."""


class Span(NamedTuple):
    """Tokens ``start:end`` of one role and part; spans tile a row. ``message`` is -1 for text of no message.

    Messages are numbered as they are given to the template: where `adapt` changes a conversation, as it is then.
    """

    role: str
    part: str
    message: int
    start: int
    end: int
    trained: bool


class SpanColumns(NamedTuple):
    """The spans of a batch, one item a span; ``role`` and ``part`` are indices into the names beside them."""

    role: Ints
    part: Ints
    message: Ints
    start: Ints
    end: Ints
    trained: Bools
    roles: tuple[str, ...]
    parts: tuple[str, ...]

    @classmethod
    def of(cls, spans: Sequence[Span]) -> SpanColumns:
        """Return the columns of some spans."""
        role, roles = _coded([span.role for span in spans])
        part, parts = _coded([span.part for span in spans])
        message, start, end, trained = np.asarray([span[2:] for span in spans], np.int64).reshape(-1, 4).T
        return cls(role, part, message, start, end, trained > 0, roles, parts)

    @classmethod
    def joined(cls, many: Sequence[SpanColumns]) -> SpanColumns:
        """Return the spans of several batches, one behind the other."""
        if len(many) == 1:
            return many[0]
        role, roles = _recoded([(each.role, each.roles) for each in many])
        part, parts = _recoded([(each.part, each.parts) for each in many])
        message, start, end = (_joined([each[place] for each in many], np.int64) for place in (2, 3, 4))
        trained = _joined([each.trained for each in many], np.bool_)
        return cls(role, part, message, start, end, trained, roles, parts)

    def between(self, low: int, high: int) -> SpanColumns:
        """Return the columns of the spans ``low:high``."""
        numbers = self.role, self.part, self.message, self.start, self.end
        role, part, message, start, end = (column[low:high] for column in numbers)
        return SpanColumns(role, part, message, start, end, self.trained[low:high], self.roles, self.parts)

    def spans(self) -> tuple[Span, ...]:
        """Return the spans."""
        roles, parts = map(self.roles.__getitem__, self.role.tolist()), map(self.parts.__getitem__, self.part.tolist())
        return tuple(map(Span, roles, parts, *(column.tolist() for column in self[2:6])))


@dataclass(frozen=True, slots=True)
class Labelled:
    """A finished sequence: ``input_ids`` and unshifted ``labels``, of one length, and the spans that tile them.

    ``weights``, of the same length, is how much each token counts in the loss, 0 where it is not trained; None where
    every trained token counts 1. ``positions`` are the depths of the tokens of a tree (``dataset/trees.py``), None in
    an ordinary sequence, where they are 0, 1, 2 …; ``logprobs`` the log-probabilities with which the tokens were
    sampled, NaN for a token that was not, None where the data has none.
    """

    input_ids: Ints
    labels: Ints
    spans: tuple[Span, ...]
    weights: Floats | None = None
    positions: Ints | None = None
    logprobs: Floats | None = None
    batch: tuple[LabelledBatch, int] | None = field(default=None, init=False, repr=False, compare=False)
    """The batch that it was made of, and its number there, if any."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Make the spans of a sequence of a batch: until somebody asks for them, there are none."""
            if name != "spans":
                raise AttributeError(name)
            batch, number = self.batch
            low, high = batch.span_limits[number : number + 2].tolist()
            object.__setattr__(self, name, batch.spans.between(low, high).spans())
            return self.spans

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that are trained."""
        return int((self.labels != IGNORED).sum())

    def beginning(self, size: int) -> Labelled:
        """Return the first ``size`` tokens of an ordinary sequence, with the spans that tile these."""
        spans = tuple(span._replace(end=min(span.end, size)) for span in self.spans if span.start < size)
        weights = None if self.weights is None else weights_or_none(self.weights[:size])
        logprobs = None if self.logprobs is None else logprobs_or_none(self.logprobs[:size])
        return Labelled(self.input_ids[:size], self.labels[:size], spans, weights, None, logprobs)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBatch:
    """Labelled sequences end to end.

    Sequence ``i`` has the tokens ``limits[i]:limits[i + 1]`` and the spans ``span_limits[i]:span_limits[i + 1]``, whose
    places count from its own beginning. ``weights`` is None where every trained token of all of them counts 1,
    ``positions`` where none of them is a tree, ``logprobs`` where none has log-probabilities.
    """

    input_ids: Ints
    labels: Ints
    limits: Ints
    spans: SpanColumns
    span_limits: Ints
    weights: Floats | None = None
    positions: Ints | None = None
    logprobs: Floats | None = None

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.limits) - 1

    def __iter__(self) -> Iterator[Labelled]:
        """Yield each sequence; it shares the arrays."""
        edges = self.limits.tolist()
        for number, (low, high) in enumerate(pairwise(edges)):
            made = object.__new__(Labelled)
            fill = object.__setattr__
            fill(made, "input_ids", self.input_ids[low:high])
            fill(made, "labels", self.labels[low:high])
            fill(made, "weights", None if self.weights is None else weights_or_none(self.weights[low:high]))
            fill(made, "positions", None if self.positions is None else self.positions[low:high])
            fill(made, "logprobs", None if self.logprobs is None else logprobs_or_none(self.logprobs[low:high]))
            fill(made, "batch", (self, number))
            yield made

    def between(self, first: int, last: int) -> LabelledBatch:
        """Return the sequences ``first:last``; they share the arrays."""
        if (first, last) == (0, len(self)):
            return self
        low, high = self.limits[[first, last]].tolist()
        low_span, high_span = self.span_limits[[first, last]].tolist()
        weights = None if self.weights is None else weights_or_none(self.weights[low:high])
        return LabelledBatch(
            self.input_ids[low:high],
            self.labels[low:high],
            self.limits[first : last + 1] - low,
            self.spans.between(low_span, high_span),
            self.span_limits[first : last + 1] - low_span,
            weights,
            None if self.positions is None else self.positions[low:high],
            None if self.logprobs is None else logprobs_or_none(self.logprobs[low:high]),
        )

    @classmethod
    def of(cls, many: Sequence[Labelled]) -> LabelledBatch:
        """Return sequences as one batch. Those that stand behind each other in a batch are taken over together."""
        batches = list(_runs(many))
        if len(batches) == 1:
            return batches[0]
        weights = None
        if any(batch.weights is not None for batch in batches):
            weights = np.concatenate([batch.all_weights() for batch in batches])
        depths = None
        if any(batch.positions is not None for batch in batches):
            depths = np.concatenate([batch.all_positions() for batch in batches])
        logprobs = None
        if any(batch.logprobs is not None for batch in batches):
            logprobs = np.concatenate([batch.all_logprobs() for batch in batches])
        return cls(
            _joined([batch.input_ids for batch in batches], np.int64),
            _joined([batch.labels for batch in batches], np.int64),
            limits_of(_joined([np.diff(batch.limits) for batch in batches], np.int64)),
            SpanColumns.joined([batch.spans for batch in batches]),
            limits_of(_joined([np.diff(batch.span_limits) for batch in batches], np.int64)),
            weights,
            depths,
            logprobs,
        )

    def all_weights(self) -> Floats:
        """Return how much each token counts in the loss, whatever that is."""
        return (self.labels != IGNORED).astype(np.float32) if self.weights is None else self.weights

    def all_positions(self) -> Ints:
        """Return the depth of each token: how many it sees ahead of it in its own sequence."""
        return positions(np.diff(self.limits)) if self.positions is None else self.positions

    def all_logprobs(self) -> Floats:
        """Return the log-probability with which each token was sampled, NaN where nobody knows."""
        return np.full(len(self.input_ids), np.nan, np.float32) if self.logprobs is None else self.logprobs


def weights_or_none(weights: Floats) -> Floats | None:
    """Return the weights of a sequence, None where every token that is trained counts 1."""
    return None if (weights[weights > 0] == 1).all() else weights


def completions_of(row: Labelled, trained: Bools) -> Iterator[tuple[int, int, int]]:
    """Yield message, start and end of each turn of which something is trained, as the spans have it.

    A template may quote a turn elsewhere (the name of a tool in the header of its answer): the turn itself is the
    stretch that holds the first trained token.
    """
    seen: set[int] = set()
    for (message, role), group in groupby(row.spans, key=lambda span: (span.message, span.role)):
        stretch = list(group)
        start, end = stretch[0].start, stretch[-1].end
        if role != "template" and message >= 0 and message not in seen and trained[start:end].any():
            seen.add(message)
            yield message, start, end


def logprobs_or_none(logprobs: Floats) -> Floats | None:
    """Return the log-probabilities of a sequence, None where no token has one."""
    return None if np.isnan(logprobs).all() else logprobs


def _runs(many: Sequence[Labelled]) -> Iterator[LabelledBatch]:
    """Yield sequences as batches, in their order."""
    at = 0
    while at < len(many):
        found = many[at].batch
        end = at + 1
        if found is None:
            yield _alone(many[at])
        else:
            batch, first = found
            while end < len(many) and many[end].batch == (batch, first + end - at):
                end += 1
            yield batch.between(first, first + end - at)
        at = end


def _alone(one: Labelled) -> LabelledBatch:
    limits, span_limits = (np.asarray([0, size], np.int64) for size in (len(one.input_ids), len(one.spans)))
    spans = SpanColumns.of(one.spans)
    return LabelledBatch(
        one.input_ids, one.labels, limits, spans, span_limits, one.weights, one.positions, one.logprobs
    )


def _coded(names: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Return the number of each name, and the names by their numbers."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return np.asarray([codes[name] for name in names], np.int64), tuple(codes)


def _recoded(columns: Sequence[tuple[Ints, tuple[str, ...]]]) -> tuple[Ints, tuple[str, ...]]:
    """Return columns of numbers of names, each with its own names, as one."""
    first = columns[0][1] if columns else ()
    if all(names == first for _, names in columns):
        return _joined([codes for codes, _ in columns], np.int64), first
    numbers, names = _coded([name for _, own in columns for name in own])
    limits = limits_of(len(own) for _, own in columns).tolist()
    return _joined([numbers[low:][codes] for low, (codes, _) in zip(limits, columns, strict=False)], np.int64), names


def _joined(arrays: Sequence[Any], kind: Any) -> Any:
    return np.concatenate([*arrays, np.zeros(0, kind)], dtype=kind, casting="same_kind")
