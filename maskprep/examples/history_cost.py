"""What each way of treating history would cost, measured on the first rows, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from maskprep.errors import BuildError
from maskprep.examples import Prepared, Preparer
from maskprep.formats import Line
from maskprep.policy import History

SAMPLE_ROWS = 200
SAMPLE_BYTES = 64 * 2**20


@dataclass(slots=True)
class Cost:
    """What a history would make of the sampled rows. ``rows`` are those that it can use."""

    rows: int = 0
    sequences: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    unfaithful_tokens: int = 0

    def add(self, prepared: Prepared) -> None:
        """Count one row."""
        self.rows += 1
        for sequence in prepared.sequences:
            self.sequences += 1
            self.tokens += len(sequence.labelled.input_ids)
            self.trained_tokens += sequence.labelled.trained_tokens
            self.unfaithful_tokens += sequence.unfaithful


@dataclass(frozen=True, slots=True)
class Costs:
    """What each history would make of some rows, of which ``sampled`` were proved; ``plain`` are their tokens, once."""

    of: Mapping[History, Cost]
    sampled: int
    plain: int

    @property
    def expansion(self) -> float:
        """How many times the tokens of the whole conversations ``split`` makes."""
        return self.of[History.SPLIT].tokens / self.plain if self.plain else 1.0

    def facts(self) -> dict[str, Any]:
        """Return the costs as JSON types."""
        return {
            "expansion": self.expansion,
            "sampled_rows": self.sampled,
            "whole_tokens": self.plain,
            "histories": {str(history): asdict(cost) for history, cost in self.of.items()},
        }


def measure(lines: Iterable[Line], preparer: Preparer) -> Costs:
    """Return what each history would make of some rows; none of them is kept."""
    costs = {history: Cost() for history in History}
    sampled = plain = 0
    for rows in preparer.proved(lines):
        proved = [row for row in rows if row.proved is not None]
        sampled += len(proved)
        plain += sum(len(preparer.encoder.ids(row.proved.whole.text)) for row in proved if row.proved is not None)
        for history, cost in costs.items():
            for row in preparer.finish_rows([replace(row) for row in proved], history):
                if row.made is not None:
                    cost.add(row.made)
    return Costs(costs, sampled, plain)


def check_expansion(lines: Iterable[Line], preparer: Preparer, limit: float, *, trees: bool) -> None:
    """Stop the build where ``split`` would make more than ``limit`` times the tokens of the whole conversations.

    ``trees``: the trainer and the model can be trained on trees, so that they are recommended.

    Raises:
        BuildError: with the cost of each history among its facts.
    """
    costs = measure(lines, preparer)
    expansion, sampled = costs.expansion, costs.sampled
    if expansion <= limit:
        return
    times = costs.of[History.TREE].tokens / costs.plain
    recommended = f"recommended: --history tree, the same trained tokens for {times:.2f} times the tokens"
    if trees:
        hint = f"{recommended}; or choose --history {'|'.join(_without(History.TREE))}, or raise max_expansion"
    else:
        hint = f"choose one with --history {'|'.join(_without(History.TREE))}, or raise max_expansion"
    raise BuildError(
        f"this chat template renders earlier turns otherwise once later ones follow. Training every turn in its own "
        f"context (history: split) makes {expansion:.1f} times the tokens on the first {sampled} rows, more than "
        f"max_expansion {limit:g}: choose what you want",
        hint,
        facts={**costs.facts(), "recommended": str(History.TREE) if trees else None},
    )


def _without(history: History) -> list[str]:
    return [str(other) for other in History if other is not history]
