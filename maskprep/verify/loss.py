"""The loss check: the model's own loss on ``labels`` against the mean loss of the tokens meant to be trained."""

from __future__ import annotations

import math

from maskprep.plural import count
from maskprep.verify.breakdown import Breakdown
from maskprep.verify.examples import ModelExample
from maskprep.verify.model_runner import Measured, Own
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = (
    "a trainer would minimise something else than what the spans say is trained: look at the row with "
    "`maskprep inspect OUT --row N --tokens`, and build again"
)


class LossCheck:
    """Compares the loss of a row as the model computes it with the loss that is meant.

    The model's own is ``forward(labels=…).loss``, on whole rows or, where their logits would not fit into memory, on a
    window of each. On whole rows the function that trainers call is also run over chunks of logits.
    """

    def __init__(self, tolerance: float) -> None:
        """Allow differences of ``tolerance``, relative to the loss (or to 1, where it is smaller)."""
        self._tolerance = tolerance
        self._faults = Faults()
        self.breakdown = Breakdown()
        self._examples = self._windows = self._shortened = 0
        self._rows: set[int] = set()
        self._worst = 0.0

    def refuse(self, number: int, reason: str) -> None:
        """Note a row that no model can take, with the reason."""
        self._faults.add(f"row {number}: {reason}")

    def shorten(self) -> None:
        """Note a row that was cut to the length that the model can take."""
        self._shortened += 1

    def see(self, row: ModelExample, measured: Measured | None, own: Own, window: ModelExample) -> None:
        """Compare one row, and the ``window`` of it that ``own`` is of; ``measured`` None: no other pass was run."""
        self._examples += 1
        self._rows.add(row.number)
        self._windows += window is not row
        self._compare(row.number, "the model's own loss", own.measured.loss, own.formula)
        if measured is None:
            self.breakdown.see(window, own.measured)
            return
        if measured is not own.measured:
            meant = row.meant.copy()
            meant[0] = False
            mean = float(measured.nll[meant].mean()) if meant.any() else float("nan")
            self._compare(row.number, "the loss on its labels", measured.loss, mean)
        self.breakdown.see(row, measured)

    def _compare(self, number: int, name: str, found: float, meant: float) -> None:
        difference = abs(found - meant) / max(1.0, abs(meant))
        if not difference <= self._tolerance:
            self._faults.add(f"row {number}: {name} is {found:.6f}, what is meant {meant:.6f}")
        if not math.isnan(difference):
            self._worst = max(self._worst, difference)

    def result(self) -> Result:
        """Return the result of the loss check."""
        if not self._rows and not self._faults.count:
            return skipped("loss", "there is no row to compute a loss of")
        masked, plain = self.breakdown.mean(trained=True), self.breakdown.mean()
        figures: dict[str, int | float | str] = {"rows": len(self._rows), "worst_difference": self._worst}
        figures |= {"tolerance": self._tolerance}
        figures |= {"sequences": self._examples} if self._examples > len(self._rows) else {}
        figures |= {"loss": masked} if masked is not None else {}
        figures |= {"loss_without_mask": plain} if plain is not None else {}
        figures |= {"in_pieces": self._windows} if self._windows else {}
        what_runs = "sequence" if self._examples > len(self._rows) else "row"
        flags = []
        if self._shortened:
            flags.append(f"{count(self._shortened, what_runs)} longer than the model takes: as much of each was run")
        return self._faults.result(
            "loss",
            "the model's own loss on the labels is the mean over what is meant to be trained, and over nothing else",
            "the loss that a trainer computes is not the one that is meant",
            _ADVICE,
            figures=figures,
            flags=tuple(flags),
            facts={
                "by_role": self.breakdown.by(0),
                "by_part": self.breakdown.by(1),
                "by_role_and_part": self.breakdown.table(),
                "rows_in_windows": self._windows,
            },
        )
