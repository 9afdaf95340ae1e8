"""Lines and tables of plain text: markup in data stays data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskprep.plural import count as count  # noqa: PLC0414 - who shows figures takes all from here
from maskprep.show.safe import safe
from maskprep.show.styles import HEADING

_HANG = 2  # columns by which a line that is too long goes on further to the right
_LEAST = 20  # columns that are left for words, however deep a line is indented


def line(console: Console, text: str, style: str = "", *, label: str = "", hang: int | None = None) -> None:
    """Print one line, neutralised; on a terminal it is wrapped at words, what follows standing further to the right.

    Args:
        console: prints it. Where it is no terminal, a line stays one line, which other programs can search.
        text: the line; blanks in front of it indent it.
        style: the style of the whole line, or of ``label`` alone where there is one.
        label: stands in front of ``text``, and is indented instead of it.
        hang: the column in which a wrapped line goes on, two behind its indentation unless given.
    """
    head, body = safe(label), safe(text)
    first = head or body
    indent = len(first) - len(first.lstrip(" "))
    whole = head + body
    inner = whole[indent:]
    if console.is_terminal:
        deep = min(indent + _HANG if hang is None else hang, max(0, console.width - _LEAST))
        inner = ("\n" + " " * deep).join(_wrapped(inner, console.width - indent, console.width - deep))
    shown = Text(" " * indent + inner)
    if style:
        # Wrapping takes a blank and puts in others: a label is painted as far as it is on the first line.
        end = min(len(head), (" " * indent + inner + "\n").index("\n")) if head else len(shown)
        at = indent
        for piece in shown.plain[indent:end].split("\n"):
            lead = len(piece) - len(piece.lstrip(" "))
            shown.stylize(style, at + lead, at + len(piece.rstrip(" ")))
            at += len(piece) + 1
    console.print(shown, soft_wrap=True)


def verbatim(console: Console, text: str) -> None:
    """Print one line to be copied, such as a command: neutralised, and never wrapped by us."""
    console.print(Text(safe(text)), soft_wrap=True)


def _wrapped(text: str, first: int, later: int) -> Iterator[str]:
    """Yield a text in lines of so many columns; a word that is longer (a path) stands alone, in one piece."""
    current, room = "", first
    for blank, word in re.findall(r"( *)([^ ]+)", text):
        if current and cell_len(current) + len(blank) + cell_len(word) > room:
            yield current
            current, room = word, later
        else:
            current += blank + word
    yield current


def make_table(*headings: str) -> Table:
    """Return an empty table; a heading that begins with ``>`` is for figures and stands on the right."""
    table = Table(box=None, pad_edge=False, header_style=HEADING)
    for heading in headings:
        table.add_column(heading.lstrip(">"), justify="right" if heading.startswith(">") else "left")
    return table


def add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    """Add a row of neutralised cells."""
    table.add_row(*(Text(safe(cell), style) for cell in cells))


def percent(part: float, whole: float) -> str:
    """Return a share, ``-`` of nothing."""
    return f"{part / whole:.1%}" if whole else "-"
