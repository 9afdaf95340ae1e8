"""Rows with the mask in colour, outside of the commands: printed, or as HTML that stands by itself in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TextIO

from maskprep.dataset.trees import Branch
from maskprep.inspect.command import InspectReport
from maskprep.inspect.views import RowView, TokenView
from maskprep.show.console import PlainConsole
from maskprep.show.marks import pieces
from maskprep.show.rows import show_rows
from maskprep.show.safe import safe

# What is trained is told by more than colour, and can be read on a light and on a dark page.
_TRAINED = "background:#cfeedd;color:#10251b;border-bottom:2px solid #0a7d53"
_STOP = "background:#0a7d53;color:#ffffff"
_MASKED = "opacity:.72"
_TEMPLATE = "opacity:.6;font-style:italic"
_BOX = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7"
_NOTE = "font-family:sans-serif;font-size:90%;opacity:.8"


def print_views(file: TextIO, views: Sequence[RowView], *, full: bool) -> None:
    """Print rows as ``maskprep inspect`` does."""
    show_rows(PlainConsole(file), InspectReport("", None, tuple(views)), full=full, table=False)


def html_of(views: Sequence[RowView]) -> str:
    """Return rows as HTML: text alone, escaped, with nothing in it that acts."""
    return "".join(_row(view) for view in views)


def _row(view: RowView) -> str:
    counts = f"{len(view.tokens):,} tokens, {view.trained:,} trained"
    found = "".join(f"<br>{_text(code)}: {_text(detail)}" for code, detail in view.findings)
    heading = f'<div style="{_NOTE}">{_text(str(view.where))}, sequence {view.sequence}: {counts}{found}</div>'
    made = []
    for branch in view.branches or (Branch(0, len(view.tokens), -1, -1),):
        if branch.start:
            made.append(f'<div style="{_NOTE}">├─ a branch, instead of what follows token {branch.on:,}</div>')
        for shown, style, first in pieces(view.tokens[branch.start : branch.end], _style, fresh=True):
            title = f"{first.role} {first.part}{', trained' if first.trained else ''}"
            made.append(f'<span style="{style}" title="{_text(title)}">{html.escape(shown)}</span>')
    return f'{heading}<div style="{_BOX}">{"".join(made)}</div>'


def _style(token: TokenView) -> str:
    if token.trained:
        return _STOP if token.part == "stop" else _TRAINED
    return _TEMPLATE if token.part == "scaffold" else _MASKED


def _text(text: str) -> str:
    return html.escape(safe(text))
