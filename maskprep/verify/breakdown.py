"""Losses summed by role and part of the tokens, and by whether they are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskprep.verify.examples import ModelExample
from maskprep.verify.model_runner import Measured

LossKey = tuple[str, str, bool]


@dataclass(slots=True)
class Breakdown:
    """The sum of the negative log-likelihoods and the number of tokens by role, part, and whether they are trained."""

    sums: dict[LossKey, float] = field(default_factory=dict)
    counts: dict[LossKey, int] = field(default_factory=dict)

    def see(self, row: ModelExample, measured: Measured) -> None:
        """Add the losses of a row; its first token, which nothing predicts, is left out."""
        for span in row.spans:
            nll = measured.nll[max(span.start, 1) : span.end]
            key = (span.role, span.part, bool(span.trained))
            self.sums[key] = self.sums.get(key, 0.0) + float(np.sum(nll))
            self.counts[key] = self.counts.get(key, 0) + len(nll)

    def mean(self, *, trained: bool | None = None, role: str | None = None, part: str | None = None) -> float | None:
        """Return the mean loss of the tokens of this role and part, None where there are no such tokens."""
        keys = [
            key
            for key in self.sums
            if (role is None or key[0] == role)
            and (part is None or key[1] == part)
            and (trained is None or key[2] == trained)
        ]
        count = sum(self.counts[key] for key in keys)
        return sum(self.sums[key] for key in keys) / count if count else None

    def table(self) -> list[dict[str, Any]]:
        """Return one entry for each role, part and whether it is trained, as JSON types."""
        return [
            {
                "role": role,
                "part": part,
                "trained": trained,
                "tokens": count,
                "nll": self.sums[role, part, trained] / count,
            }
            for (role, part, trained), count in self._counted()
        ]

    def by(self, index: int) -> list[dict[str, Any]]:
        """Return the mean losses by role (0) or part (1), of trained tokens and of all, as JSON types."""
        names = sorted({key[index] for key in self.sums})
        name_of = ("role", "part")[index]
        return [
            {name_of: name, "trained": self.mean(trained=True, **{name_of: name}), "all": self.mean(**{name_of: name})}  # type: ignore[arg-type]
            for name in names
        ]

    def _counted(self) -> Iterator[tuple[LossKey, int]]:
        yield from sorted((key, count) for key, count in self.counts.items() if count)
