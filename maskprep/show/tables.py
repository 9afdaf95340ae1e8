"""Lines and tables of plain text: markup in data stays data."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskprep.show.safe import safe


def line(console: Console, text: str, style: str = "") -> None:
    """Print one line, neutralised, never wrapped."""
    console.print(Text(safe(text), style), soft_wrap=True)


def make_table(*headings: str) -> Table:
    """Return an empty table; a heading that begins with ``>`` is for figures and stands on the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading.lstrip(">"), justify="right" if heading.startswith(">") else "left")
    return table


def add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    """Add a row of neutralised cells."""
    table.add_row(*(Text(safe(cell), style) for cell in cells))


def count(number: int, noun: str) -> str:
    """Return a number and its noun, as in ``3 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(part: float, whole: float) -> str:
    """Return a share, ``-`` of nothing."""
    return f"{part / whole:.1%}" if whole else "-"
