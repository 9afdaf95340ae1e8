"""Two masks on a terminal: the tokens whose label differs, with a little of what stands around them."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.text import Text

from maskprep.commands.compare import Comparison
from maskprep.commands.views import RowView, TokenView
from maskprep.show.rows import characters
from maskprep.show.tables import count, line

_AROUND = 8  # tokens that differ in nothing, shown at either side of those that do


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print what differs between two masks."""
    line(console, f"+ trained only in {comparison.first}", "bold green")
    line(console, f"- trained only in {comparison.second}", "bold red")
    line(console, f"{count(comparison.rows, 'row')}, {comparison.equal:,} with the same mask")
    line(
        console,
        f"tokens trained only in the first: {comparison.only_first:,}, in the second: {comparison.only_second:,}",
    )
    for number, text in (
        (comparison.other_ids, "hold other ids in the second, and cannot be compared token by token"),
        (comparison.missing_in_second, "are not in the second"),
        (comparison.missing_in_first, "are only in the second"),
    ):
        if number:
            line(console, f"{count(number, 'row')} {text}", "yellow")
    for view in comparison.shown:
        line(console, "")
        line(console, f"row {view.number}  {view.where}  sequence {view.sequence}", "bold")
        console.print(_differences(view), soft_wrap=True)


def _differences(view: RowView) -> Text:
    text = Text()
    for mark, group in groupby(view.tokens, key=_mark):
        run = list(group)
        if mark:
            text.append(f"⟦{mark} ", "bold")
            _append(text, run, "bold green" if mark == "+" else "bold red")
            text.append("⟧", "bold")
        elif len(run) <= 2 * _AROUND:
            _append(text, run, "dim")
        else:
            _append(text, run[:_AROUND], "dim")
            text.append(f" … {len(run) - 2 * _AROUND:,} tokens … ", "italic bright_black")
            _append(text, run[-_AROUND:], "dim")
    return text


def _mark(token: TokenView) -> str:
    if token.other is None or token.other == token.trained:
        return ""
    return "+" if token.trained else "-"


def _append(text: Text, tokens: list[TokenView], style: str) -> None:
    for shown, _ in characters(tokens):
        text.append(shown, style)
