"""What each way of treating history would cost, measured on the first rows, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from maskprep.errors import BuildError
from maskprep.examples import Prepared, Preparer
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


def check_expansion(lines: Iterable[Line], preparer: Preparer, limit: float, *, trees: bool) -> None:
    """Stop the build where ``split`` would make more than ``limit`` times the tokens of the whole conversations.

    ``trees``: the trainer and the model can be trained on trees, so that they are recommended.

    Raises:
        BuildError: with the cost of each history among its facts.
    """
    costs = {history: Cost() for history in History}
    sampled = plain = 0
    for rows in preparer.proved(lines):
        proved = [row for row in rows if row.proved is not None]
        sampled += len(proved)
        plain += sum(_plain_size(preparer, row.proved) for row in proved if row.proved is not None)
        for history, cost in costs.items():
            for row in preparer.finish_rows([replace(row) for row in proved], history):
                if row.made is not None:
                    cost.add(row.made)
    expansion = costs[History.SPLIT].tokens / plain if plain else 1.0
    if expansion <= limit:
        return
    tree = costs[History.TREE]
    recommended = f"recommended: --history tree, the same trained tokens for {tree.tokens / plain:.2f} times the tokens"
    if trees:
        hint = f"{recommended}; or choose --history {'|'.join(_without(History.TREE))}, or raise max_expansion"
    else:
        hint = f"choose one with --history {'|'.join(_without(History.TREE))}, or raise max_expansion"
    raise BuildError(
        f"this chat template renders earlier turns otherwise once later ones follow. Training every turn in its own "
        f"context (history: split) makes {expansion:.1f} times the tokens on the first {sampled} rows, more than "
        f"max_expansion {limit:g}: choose what you want",
        hint,
        facts={
            "expansion": expansion,
            "recommended": str(History.TREE) if trees else None,
            "sampled_rows": sampled,
            "whole_tokens": plain,
            "histories": {str(history): asdict(cost) for history, cost in costs.items()},
        },
    )


def _plain_size(preparer: Preparer, proved: Proved) -> int:
    """Return the tokens of a whole conversation: of its rendering, or, where its turns are ids, of the longest turn."""
    turns = proved.conversation.sampled.values()
    return max(len(turn.ids) for turn in turns) if turns else len(preparer.encoder.ids(proved.whole.text))


def _without(history: History) -> list[str]:
    return [str(other) for other in History if other is not history]
