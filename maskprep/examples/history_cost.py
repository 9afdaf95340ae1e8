"""What each way of treating history would cost, measured on the first rows, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from maskprep.errors import BuildError
from maskprep.examples import Prepared, Preparer
from maskprep.examples.prepared import PreparedRow
from maskprep.formats import Line
from maskprep.policy import History
from maskprep.template.turns.proved import Proved

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


@dataclass(slots=True)
class Costs:
    """What each history would make of so many ``rows``, which have ``whole_tokens`` when each is rendered once."""

    rows: int = 0
    whole_tokens: int = 0
    by: dict[History, Cost] = field(default_factory=lambda: {history: Cost() for history in History})

    def add(self, preparer: Preparer, rows: Iterable[PreparedRow]) -> None:
        """Count the rows that were proved."""
        proved = [row for row in rows if row.proved is not None]
        self.rows += len(proved)
        self.whole_tokens += sum(_plain_size(preparer, row.proved) for row in proved if row.proved)
        for history, cost in self.by.items():
            for row in preparer.finish_rows([replace(row) for row in proved], history):
                if row.made is not None:
                    cost.add(row.made)

    @property
    def used(self) -> int:
        """How many rows can be used whatever the history."""
        return min(cost.rows for cost in self.by.values())

    def times(self, history: History) -> float:
        """Return how many times the tokens of one rendering a history takes; 1 where there is none."""
        return self.by[history].tokens / self.whole_tokens if self.whole_tokens else 1.0

    def facts(self) -> dict[str, Any]:
        """Return the costs as JSON types."""
        return {
            "expansion": self.times(History.SPLIT),
            "sampled_rows": self.rows,
            "whole_tokens": self.whole_tokens,
            "histories": {str(history): asdict(cost) for history, cost in self.by.items()},
        }


def measure(lines: Iterable[Line], preparer: Preparer) -> Costs:
    """Return what each history would make of some rows; none of them is kept."""
    costs = Costs()
    for rows in preparer.proved(lines):
        costs.add(preparer, rows)
    return costs


class Dear(BuildError):  # noqa: N818 - what it is: no error of the rows, nor of the build
    """Every turn in its own context takes more tokens than ``max_expansion`` allows; ``costs``: of each history."""

    def __init__(self, message: str, hint: str, facts: dict[str, Any], costs: Costs) -> None:
        super().__init__(message, hint, facts)
        self.args = (message, hint, facts, costs)
        self.costs = costs


def check_expansion(lines: Iterable[Line], preparer: Preparer, limit: float, *, trees: bool) -> None:
    """Stop the build where ``split`` would make more than ``limit`` times the tokens of the whole conversations.

    ``trees``: the trainer and the model can be trained on trees, so that they are recommended.

    Raises:
        Dear: with the cost of each history among its facts.
    """
    costs = measure(lines, preparer)
    expansion = costs.times(History.SPLIT)
    if expansion <= limit:
        return
    others = "|".join(str(other) for other in History if other is not History.TREE)
    if trees:
        times = costs.times(History.TREE)
        hint = f"recommended: --history tree, the same trained tokens for {times:.2f} times the tokens"
        hint += f"; or choose --history {others}, or raise max_expansion"
    else:
        hint = f"choose one with --history {others}, or raise max_expansion"
    raise Dear(
        f"this chat template renders earlier turns otherwise once later ones follow. Training every turn in its own "
        f"context (history: split) makes {expansion:.1f} times the tokens on the first {costs.rows} rows, more than "
        f"max_expansion {limit:g}: choose what you want",
        hint,
        costs.facts(),
        costs,
    )


def _plain_size(preparer: Preparer, proved: Proved) -> int:
    """Return the tokens of a whole conversation: of its rendering, or, where its turns are ids, of the longest turn."""
    turns = proved.conversation.sampled.values()
    return max(len(turn.ids) for turn in turns) if turns else len(preparer.encoder.ids(proved.whole.text))
