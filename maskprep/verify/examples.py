"""Rows as a model gets them, and the piece of a row whose loss by the model's own function fits into memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from maskprep.dataset.schema import ShardRow
from maskprep.labelled import IGNORED, Span

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ModelExample:
    """One row, a sequence of a tree, or a stretch of either.

    It has ids and unshifted labels, and ``meant``, True where the spans say it is trained.
    """

    number: int
    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    meant: npt.NDArray[np.bool_]
    spans: tuple[Span, ...]

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.ids)

    def window(self, size: int) -> ModelExample:
        """Return at most ``size`` tokens of the row: its beginning, or those around the first trained token."""
        if len(self) <= size:
            return self
        wanted = np.flatnonzero(self.meant | (self.labels != IGNORED))
        first = int(wanted[0]) if len(wanted) else 0
        start = 0 if first < size // 2 else first - max(1, size // 4)
        cut = slice(start, start + size)
        spans = (
            span._replace(start=max(span.start - start, 0), end=min(span.end - start, size))
            for span in self.spans
            if span.start < start + size and span.end > start
        )
        return ModelExample(self.number, self.ids[cut], self.labels[cut], self.meant[cut], tuple(spans))


def example(number: int, row: ShardRow, vocabulary: int) -> ModelExample | str:
    """Return a row as an example for a model, or the reason why no model can take it."""
    ids, labels, spans = row.labelled.input_ids, row.labelled.labels, row.labelled.spans
    if len(ids) != len(labels):
        return "ids and labels are of different lengths"
    if len(ids) < 2:  # noqa: PLR2004 - one token to predict from, one to predict
        return "it has fewer than two tokens"
    if ids.min() < 0 or ids.max() >= vocabulary:
        return f"an id is outside of the model's vocabulary of {vocabulary:,}"
    if labels.max() >= vocabulary or ((labels < 0) & (labels != IGNORED)).any():
        return "a label is no id"
    if any(not 0 <= span.start <= span.end <= len(ids) for span in spans):
        return "a span reaches out of it"
    meant = np.zeros(len(ids), np.bool_)
    for span in spans:
        meant[span.start : span.end] = span.trained
    return ModelExample(number, ids, labels, meant, spans)


def sample(total: int, wanted: int | None, seed: int) -> list[int]:
    """Return the numbers of ``wanted`` rows out of ``total``, in order; None for all."""
    if wanted is None or wanted >= total:
        return list(range(total))
    return sorted(random.Random(seed).sample(range(total), wanted))  # noqa: S311 - a sample, no secret


def within(numbers: Sequence[int], length: Callable[[int], int], budget: float, seed: int) -> Iterator[int]:
    """Yield numbers in a shuffled order for as long as their lengths add up to less than ``budget``; at least one."""
    shuffled = list(numbers)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    spent = 0
    for number in shuffled:
        if spent and spent + length(number) > budget:
            continue
        spent += length(number)
        yield number


def spread(items: Sequence[_Item], most: int | None) -> list[_Item]:
    """Return at most ``most`` items, spread evenly from the first to the last; None for all."""
    if most is None or len(items) <= most:
        return list(items)
    return [items[at] for at in np.linspace(0, len(items) - 1, most).round().astype(int).tolist()]
