"""The figures of a data set on a terminal."""

from __future__ import annotations

from itertools import pairwise

from rich.console import Console

from maskprep.dataset.statistics import Distribution, Statistics
from maskprep.show.figures import show_not_read, show_noticed, show_totals
from maskprep.show.styles import HEADING
from maskprep.show.tables import add_row, line, make_table, percent

_WIDTH = 40  # characters of the longest bar
_ENDS = {0: "min", 100: "max"}
_BLOCKS = " ▏▎▍▌▋▊▉█"


def show_statistics(console: Console, statistics: Statistics) -> None:
    """Print the figures of a data set: rows, tokens by role and part, lengths, rejects."""
    line(console, statistics.path, HEADING)
    show_totals(console, statistics.totals)
    _show_distribution(console, "tokens a sequence", statistics.lengths, "{:,.0f}")
    _show_distribution(console, "trained fraction of a sequence", statistics.trained_fractions, "{:.1%}")
    line(console, "trained turns a sequence", HEADING)
    table = make_table(">turns", ">sequences", ">of all")
    total = sum(statistics.turns.values())
    for turns, rows in sorted(statistics.turns.items()):
        add_row(table, (str(turns), f"{rows:,}", percent(rows, total)))
    console.print(table)
    show_not_read(console, statistics.totals.get("not_read"))
    show_noticed(console, "rejected rows", statistics.totals["rejects"])
    show_noticed(console, "warnings about rows that were used", statistics.totals["findings"])


def _show_distribution(console: Console, title: str, distribution: Distribution, form: str) -> None:
    line(console, f"{title}, on average {form.format(distribution.mean)}", HEADING)
    table = make_table(*(f">{_ENDS.get(rank, f'p{rank}')}" for rank in distribution.percentiles))
    add_row(table, [form.format(value) for value in distribution.percentiles.values()])
    console.print(table)
    highest = max(distribution.counts)
    bars = make_table(">from", ">below", ">sequences", "")
    for (low, high), rows in zip(pairwise(distribution.edges), distribution.counts, strict=True):
        add_row(bars, (form.format(low), form.format(high), f"{rows:,}", _bar(rows, highest)))
    console.print(bars)


def _bar(value: int, highest: int) -> str:
    eighths = round(value / highest * _WIDTH * 8) if highest else 0
    whole, rest = divmod(max(eighths, 1 if value else 0), 8)
    return "█" * whole + (_BLOCKS[rest] if rest else "")
