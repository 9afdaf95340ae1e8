"""Two masks on a terminal: the tokens whose label differs, with a few tokens around them."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.text import Text

from maskprep.inspect.compare import MaskComparison
from maskprep.inspect.views import RowView, TokenView
from maskprep.show.marks import CLOSE, OPEN, pieces
from maskprep.show.tables import count, line

_AROUND = 8  # tokens that differ in nothing, shown at either side of those that do


def show_comparison(console: Console, comparison: MaskComparison) -> None:
    """Print the counts of a comparison of two masks, and the rows that differ."""
    line(console, f"+ trained only in {comparison.first}", "bold green")
    line(console, f"- trained only in {comparison.second}", "bold red")
    same = f"{comparison.equal:,} with the same mask, {comparison.differing:,} with another"
    line(console, f"{count(comparison.rows, 'row')}, {same}")
    line(
        console,
        f"tokens trained only in the first: {comparison.only_first:,}, in the second: {comparison.only_second:,}",
    )
    for number, text in (
        (comparison.other_ids, "with other ids in the second, not to be compared token by token"),
        (comparison.missing_in_second, "not in the second"),
        (comparison.missing_in_first, "only in the second"),
    ):
        if number:
            line(console, f"{text}: {count(number, 'row')}", "yellow")
    if comparison.rows == comparison.missing_in_second and comparison.missing_in_first:
        line(console, "no row is in both: rows are told apart by file, as the build was given it, and line", "yellow")
    if comparison.differing > len(comparison.shown):
        line(console, f"the first {len(comparison.shown):,} of {count(comparison.differing, 'row')} that differ:")
    for view in comparison.shown:
        line(console, "")
        line(console, f"row {view.number}  {view.where}  sequence {view.sequence}", "bold")
        console.print(differences(view), soft_wrap=True)


def differences(view: RowView) -> Text:
    """Return the tokens of a row whose label differs from the other mask's, with some around them."""
    text = Text()
    start = 0
    for mark, group in groupby(view.tokens, key=_mark):
        stop = start + sum(1 for _ in group)
        if mark:
            text.append(f"{OPEN}{mark} ", "bold")
            _append(text, view, start, stop)
            text.append(CLOSE, "bold")
        elif stop - start <= 2 * _AROUND:
            _append(text, view, start, stop)
        else:
            _append(text, view, start, start + _AROUND)
            text.append(f" … {stop - start - 2 * _AROUND:,} tokens … ", "italic bright_black")
            _append(text, view, stop - _AROUND, stop)
        start = stop
    return text


def _mark(token: TokenView) -> str:
    if token.other is None or token.other == token.trained:
        return ""
    return "+" if token.trained else "-"


def _style(token: TokenView) -> str:
    return {"+": "bold green", "-": "bold red"}.get(_mark(token), "dim")


def _append(text: Text, view: RowView, start: int, stop: int) -> None:
    fresh = not start or view.tokens[start - 1].data.endswith(b"\n")
    for shown, style, _ in pieces(view.tokens[start:stop], _style, fresh=fresh):
        text.append(shown, style)
