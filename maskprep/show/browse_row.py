"""One row as it stands in the window in which one leafs through rows: its heading and its text."""

from __future__ import annotations

from io import StringIO

from rich.text import Text

from maskprep.inspect.views import RejectView, RowView, View
from maskprep.show.console import PlainConsole
from maskprep.show.rejected import show_reject
from maskprep.show.rows import row_text
from maskprep.show.safe import safe


def heading(title: str, place: int, view: View, more: str = "") -> Text:
    """Return what a row is, and what was found about it, a line each."""
    number = f"row {view.number}" if view.number >= 0 else f"rejected row, {place + 1:,} here"
    lines = [f"{title}  {number}  {view.where}{more}"]
    if isinstance(view, RowView):
        lines[0] += f"  sequence {view.sequence}"
        form = f"a tree of {len(view.branches)} branches  " if view.branches else ""
        form += f"document {view.place[1]} of packed row {view.place[0]}  " if view.place else ""
        lines.append(f"{form}{len(view.tokens):,} tokens, {view.trained:,} trained")
        lines += [f"{code}: {detail}" for code, detail in dict(view.findings).items()]
    return Text("\n".join(map(safe, lines)), overflow="ellipsis", no_wrap=True)


def trained_text(view: RowView) -> Text:
    """Return the stretches of trained tokens of a row, one below the other."""
    stretches: list[list[int]] = []
    for token in view.tokens:
        if token.trained and stretches and stretches[-1][-1] == token.index - 1:
            stretches[-1].append(token.index)
        elif token.trained:
            stretches.append([token.index])
    shown = (row_text(view.between(run[0], run[-1] + 1), full=True, bracketed=False) for run in stretches)
    return Text("\n\n").join(shown)


def rejected_text(view: RejectView, width: int) -> Text:
    """Return what is told of a rejected row."""
    console = PlainConsole(StringIO(), terminal=True, width=width)
    with console.capture() as captured:
        show_reject(console, view)
    return Text.from_ansi(captured.get())
