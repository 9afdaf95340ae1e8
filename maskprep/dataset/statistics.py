"""The figures of a data set: rows, tokens by role and part, lengths, turns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from maskprep.dataset.open_build import damage_told
from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError

PERCENTILES = (0, 5, 25, 50, 75, 95, 99, 100)
_BINS = 20
_FAR = 2  # so many times as far as the 99th percentile lies above the least, a value is an outlier


@dataclass(frozen=True, slots=True)
class Distribution:
    """The spread of a figure over rows: percentiles by number, and a histogram of ``counts`` between ``edges``.

    All bins are equally wide; but where a few rows lie far above all others, the last bin reaches up to them.
    """

    mean: float
    percentiles: dict[int, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: npt.NDArray[Any], limits: tuple[float, float] | None = None) -> Distribution:
        """Return the distribution of ``values``, one a row; ``limits`` fixes where the histogram begins and ends."""
        if not len(values):
            return cls(0.0, dict.fromkeys(PERCENTILES, 0.0), (0.0, 1.0), (0,))
        whole = limits is None and np.issubdtype(values.dtype, np.integer)
        low, high = limits or (float(values.min()), float(values.max()) + (1 if whole else 0))
        found = np.percentile(values, PERCENTILES)
        most = float(found[PERCENTILES.index(99)])
        far = high if whole and high - low > _FAR * (most + 1 - low) else None
        if far is not None:
            high = most + 1
        # Whole numbers get bins of whole width, so that no bin holds one number more than its neighbour.
        width = max(1, int(np.ceil((high - low) / _BINS))) if whole else (high - low) / _BINS or 1.0
        edges = low + width * np.arange(int(np.ceil((high - low) / width)) + 1 if whole else _BINS + 1)
        if far is not None and far > edges[-1]:
            edges = np.append(edges, far)
        counts, _ = np.histogram(values, np.asarray(edges))
        return cls(
            float(values.mean()),
            dict(zip(PERCENTILES, map(float, found), strict=True)),
            tuple(map(float, edges)),
            tuple(map(int, counts)),
        )

    def facts(self) -> dict[str, Any]:
        """Return the distribution as JSON types."""
        return {
            "mean": self.mean,
            "percentiles": {str(rank): value for rank, value in self.percentiles.items()},
            "histogram": {"edges": list(self.edges), "counts": list(self.counts)},
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a data set. ``totals`` are the manifest's: rows, tokens by role and part, rejects, findings."""

    path: str
    totals: dict[str, Any]
    lengths: Distribution
    trained_fractions: Distribution
    turns: dict[int, int]

    def facts(self) -> dict[str, Any]:
        """Return the statistics as JSON types."""
        return {
            "path": self.path,
            **self.totals,
            "length": self.lengths.facts(),
            "trained_fraction": self.trained_fractions.facts(),
            "trained_turns": {str(count): rows for count, rows in sorted(self.turns.items())},
        }


class _Entry(BaseModel):
    role: str
    part: str
    tokens: int
    trained_tokens: int


class _CodeExample(BaseModel):
    file: str
    line: int
    message: str


class _NoticedTotals(BaseModel):
    rows: int
    example: _CodeExample
    hint: str = ""


class _TooLong(BaseModel):
    rows: int
    tokens_before: int
    trained_tokens_before: int
    tokens: int
    trained_tokens: int


class _PackingTotals(BaseModel):
    rows: int
    slots: int
    fill: float


class _Totals(BaseModel):
    """The manifest's totals that are shown, checked: somebody else may have written the manifest."""

    rows: int
    rows_used: int
    rows_rejected: int
    rows_dropped: int
    duplicates: int
    sequences: int
    tokens: int
    trained_tokens: int
    unfaithful_tokens: int
    longest_sequence: int
    too_long: _TooLong
    packing: _PackingTotals | None = None
    by_role_and_part: list[_Entry]
    rejects: dict[str, _NoticedTotals]
    findings: dict[str, _NoticedTotals]
    not_read: dict[str, int] = {}


def statistics(data: StoredDataSet) -> Statistics:
    """Return the figures of a build. ``turns`` counts the sequences by how many turns each of them trains.

    Raises:
        BuildError: the build is damaged, or its rows are not those that the manifest counts.
    """
    with damage_told(data.path):
        lengths, trained = data.lengths()
        totals: dict[str, Any] = data.manifest["totals"]
        _Totals.model_validate(totals, strict=True)
        measured = {"sequences": len(lengths), "tokens": int(lengths.sum()), "trained_tokens": int(trained.sum())}
        for name, number in measured.items():
            if totals[name] != number:
                msg = f"{str(data.path)!r}: the manifest counts {totals[name]} {name}, the shards hold {number}"
                raise BuildError(msg, "build the data set again")
        return Statistics(
            str(data.path),
            totals,
            Distribution.of(lengths),
            Distribution.of(trained / np.maximum(lengths, 1), (0.0, 1.0)),
            dict(Counter(data.trained_turns())),
        )
