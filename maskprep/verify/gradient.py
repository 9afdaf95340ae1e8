"""The gradient check: the loss's gradient with respect to the logits is zero exactly where nothing is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskprep.verify.examples import ModelExample
from maskprep.verify.model_runner import Floats64, Measured, Own
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = "tokens outside the mask would be learnt, or some inside it would not: build the data set again"
_POINTS = 400  # of a plot


class GradientCheck:
    """Checks the size of the gradient for each token, by the model's own backward pass and over chunks."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._rows: set[int] = set()
        self._inside = self._outside = 0
        self._least, self._off = float("inf"), 0.0
        self._curve: dict[str, Any] = {}

    def see(self, row: ModelExample, measured: Measured | None, own: Own, window: ModelExample) -> None:
        """Check the gradient of one row, and of the window of it for which ``own`` was computed."""
        self._rows.add(row.number)
        self._compare(window, own.measured.pull)
        if measured is None:
            row, measured = window, own.measured
        elif measured is not own.measured:
            self._compare(row, measured.pull)
        # Without a mask, the gradient for a token of probability p is 2 (1 - p) in size, over the number of tokens.
        plain = 2 * -np.expm1(-np.nan_to_num(measured.nll)) / max(len(row) - 1, 1)
        meant = row.meant[1:]
        if meant.any():
            expected = plain[1:][meant] * (len(row) - 1) / meant.sum()
            self._off = max(self._off, float(np.abs(measured.pull[1:][meant] - expected).max() * meant.sum() / 2))
        if not self._curve:
            self._curve = _curve(row, measured.pull, plain)

    def _compare(self, row: ModelExample, pull: Floats64) -> None:
        meant = row.meant.copy()
        meant[0] = False
        leaks, dead = np.flatnonzero((pull != 0) & ~meant), np.flatnonzero((pull == 0) & meant)
        self._inside += int(meant.sum())
        self._outside += int((~meant).sum())
        if meant.any():
            self._least = min(self._least, float(pull[meant].min()))
        for places, what in (
            (leaks, "is not zero though it is not to be trained"),
            (dead, "is zero though it is to be"),
        ):
            if len(places):
                at = f"row {row.number}: the gradient for token {int(places[0]):,} {what}"
                self._faults.add(f"{at}, and {len(places) - 1:,} more" if len(places) > 1 else at, len(places))

    def result(self) -> Result:
        """Return the result of the gradient check."""
        if not self._rows:
            return skipped("gradient", "there is no row to compute a gradient of")
        return self._faults.result(
            "gradient",
            "the gradient is exactly zero for every token outside the mask and not zero for any inside it",
            "the loss pulls at other tokens than those that are meant to be trained",
            _ADVICE,
            figures={
                "rows": len(self._rows),
                "zero": self._outside,
                "not_zero": self._inside,
                "smallest_inside": self._least if self._inside else 0.0,
                "off_the_formula": self._off,
            },
            facts={"curve": self._curve},
        )


def _curve(row: ModelExample, masked: Floats64, plain: Floats64) -> dict[str, Any]:
    """Return the sizes of the gradient along a row, at most ``_POINTS`` of them: the largest of each stretch."""
    width = -(-len(row) // _POINTS)
    edges = np.arange(0, len(row), width)
    return {
        "row": row.number,
        "tokens": len(row),
        "width": width,
        "masked": np.maximum.reduceat(masked, edges).tolist(),
        "plain": np.maximum.reduceat(plain, edges).tolist(),
        "trained": np.maximum.reduceat(row.meant.astype(np.int64), edges).tolist(),
    }
