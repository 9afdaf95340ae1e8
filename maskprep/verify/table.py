"""A real model's loss on the data, by part and around the prompt/completion boundaries, and what looks odd in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from maskprep.verify.breakdown import Breakdown
from maskprep.verify.examples import ModelExample
from maskprep.verify.model_runner import Measured
from maskprep.verify.result import Result, Verdict

BEFORE, BEHIND = 5, 8
"""How many tokens before a prompt/completion boundary (the header), and behind it, are shown by their place."""

KNOWN = 0.05
"""The mean loss below which the tokens of a part teach nothing."""

UNSEEN = 10.0
"""The loss above which a structural token is one that the model has never seen at that place."""

_STRUCTURE = ("scaffold", "stop")
_BULK = 0.02  # of all trained tokens
_NEAR = 4  # tokens behind the beginning of a stretch
_SHARE = 0.1  # of a token's places: one strange row is no rendering


class ModelTable:
    """Collects the losses of a real model on rows; ``spell`` returns the text of an id."""

    def __init__(self, name: str, spell: Callable[[int], str]) -> None:
        self._name, self._spell = name, spell
        self._breakdown = Breakdown()
        self._places: dict[int, list[float]] = defaultdict(list)
        self._structural: dict[tuple[int, str], list[float]] = defaultdict(list)
        self._rows: set[int] = set()

    def see(self, row: ModelExample, measured: Measured) -> None:
        """Add the losses of a row."""
        self._rows.add(row.number)
        self._breakdown.see(row, measured)
        seen: set[int] = set()
        for span in row.spans:
            if span.part in _STRUCTURE and span.start:
                for place in range(span.start, min(span.end, span.start + _NEAR)):
                    self._structural[int(row.ids[place]), span.role].append(float(measured.nll[place]))
            if span.trained and span.message not in seen:
                seen.add(span.message)
                for offset in range(-BEFORE, BEHIND):
                    place = span.start + offset
                    inside = offset < 0 or (place < len(row) and bool(row.meant[place]))
                    if 0 < place < len(row) and inside:
                        self._places[offset].append(float(measured.nll[place]))

    def result(self) -> Result:
        """Return the result with the table of losses and its flags; flags are no faults."""
        table = self._breakdown.table()
        flags = [*self._known(table), *self._unseen()]
        places = [
            {"offset": offset, "tokens": len(values), "nll": float(np.mean(values))}
            for offset, values in sorted(self._places.items())
        ]
        figures: dict[str, int | float | str] = {"rows": len(self._rows), "flags": len(flags)}
        for name, trained in (("nll_trained", True), ("nll_untrained", False)):
            mean = self._breakdown.mean(trained=trained)
            figures |= {name: mean} if mean is not None else {}
        said = f"{self._name}: its loss by role and part is in the table; " + (
            "what is flagged deserves a look before training" if flags else "nothing in it looks odd"
        )
        facts: dict[str, Any] = {"by_role_and_part": table, "around_the_border": places}
        return Result("model", Verdict.PASSED, said, figures, flags=tuple(flags), facts=facts)

    def _known(self, table: list[dict[str, Any]]) -> list[str]:
        trained = [entry for entry in table if entry["trained"]]
        total = sum(entry["tokens"] for entry in trained)
        return [
            f"{entry['tokens']:,} trained tokens of {entry['role']} {entry['part']} have a mean loss of "
            f"{entry['nll']:.3f}: the model knows them already, they teach nothing (leave the part out with "
            "train.parts)"
            for entry in trained
            if entry["nll"] < KNOWN and entry["tokens"] >= _BULK * total
        ]

    def _unseen(self) -> list[str]:
        flags = []
        for (token, role), values in self._structural.items():
            high = [value for value in values if value > UNSEEN]
            if high and len(high) >= _SHARE * len(values):
                share = f"{len(high):,} of {len(values):,} places, {np.mean(high):.1f} on average"
                flags.append(
                    f"the structural token {self._spell(token)!r} ({role}) has a loss above {UNSEEN:g} right behind a "
                    f"prompt/completion boundary in {share}: a rendering that this model has never seen"
                )
        return flags
