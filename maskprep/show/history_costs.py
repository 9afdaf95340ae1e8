"""What each way of treating history costs, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from maskprep.recommend.words import HISTORIES
from maskprep.show.tables import add_row, line, make_table


def show_history_costs(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the rows, sequences and tokens that each history makes of the same rows, and what each of them does."""
    table = make_table("--history", ">rows", ">sequences", ">tokens", ">times", ">trained", ">in no server's context")
    for name, cost in facts["histories"].items():
        counts = [f"{cost[key]:,}" for key in ("rows", "sequences", "tokens", "trained_tokens", "unfaithful_tokens")]
        counts.insert(3, f"{cost['tokens'] / max(facts['whole_tokens'], 1):.2f}")
        add_row(table, (name, *counts))
    console.print(table)
    for history, meaning in HISTORIES.items():
        line(console, f"  {history}: {meaning}")
