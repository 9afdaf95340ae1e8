"""Rows on a terminal: every token in the colours of the mask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from itertools import groupby

from rich.console import Console
from rich.text import Text

from maskprep.inspect.command import InspectReport
from maskprep.inspect.views import RejectView, RowView, TokenView
from maskprep.show.marks import CLOSE, MARKS, OPEN, SPLIT, pieces, token_text
from maskprep.show.rejected import show_reject
from maskprep.show.styles import CUT, FOLD, HEADING, SPECIAL, WARNING, token_style
from maskprep.show.tables import add_row, count, line, make_table

FOLDED = 60  # masked tokens that are shown in full; of longer stretches, half of these at either end
_BAR = "│  "
_AROUND = 12  # tokens shown at either side of text that was sought

_LEGEND = (
    ("trained", "trained", "content"),
    ("trained template tokens", "trained", "scaffold"),
    ("stop token", "trained", "stop"),
    ("masked", "user", "content"),
    ("template tokens", "template", "scaffold"),
)


def show_rows(console: Console, report: InspectReport, *, full: bool, table: bool, find: str | None = None) -> None:
    """Print the rows of a report.

    Args:
        console: the terminal to print on.
        report: the rows.
        full: whether long masked stretches are shown whole.
        table: whether to print one line a token instead of the text.
        find: text that was searched for: it is not folded away.
    """
    bracketed = console.color_system is None or console.no_color
    for index, view in enumerate(report.rows):
        if index:
            line(console, "")
        if isinstance(view, RejectView):
            show_reject(console, view)
            continue
        _heading(console, view, report.total, full=full)
        if table:
            _show_table(console, view)
        else:
            console.print(row_text(view, full=full, bracketed=bracketed, find=find), soft_wrap=True)
    if not table and any(isinstance(view, RowView) for view in report.rows):
        line(console, "")
        console.print(_legend(bracketed=bracketed), soft_wrap=not console.is_terminal)


def row_text(view: RowView, *, full: bool, bracketed: bool, find: str | re.Pattern[str] | None = None) -> Text:
    """Return the text of a row, each token in its style; with ``bracketed``, trained stretches stand in ⟦ ⟧, too.

    Each branch of a tree but the first stands below the others, behind a bar for each one that it hangs on. What
    ``find`` finds is not folded away.
    """
    sought = view.matching(find) if isinstance(find, re.Pattern) else view.holding(find or "")
    if not view.branches:
        return _stretch(view, range(len(view.tokens)), sought, full=full, bracketed=bracketed)
    text, levels = Text(), list[int]()
    for number, branch in enumerate(view.branches):
        levels.append(levels[branch.parent] + 1 if number else 0)
        inner = _stretch(view, range(branch.start, branch.end), sought, full=full, bracketed=bracketed)
        if number:
            text.append("" if text.plain.endswith("\n") else "\n")
            text.append(f"{_BAR * (levels[-1] - 1)}├─ {_title(view, number)}\n", HEADING)
        for part in inner.split("\n", include_separator=True):
            text.append(_BAR * levels[-1], HEADING)
            text.append_text(part)
    return text


def trained_styles(view: RowView) -> frozenset[str]:
    """Return the styles of the trained text of a row."""
    return frozenset(token_style(token) for token in view.tokens if token.trained)


def _title(view: RowView, number: int) -> str:
    """Return what a branch is, and what it hangs on, in one line."""
    branch = view.branches[number]
    trained = [token.message for token in view.tokens[branch.start : branch.end] if token.trained]
    messages = ", ".join(f"messages[{message}]" for message in dict.fromkeys(trained))
    return (
        f"branch {number + 1} of {len(view.branches)}, instead of what follows token {branch.on:,} "
        f"(branch {branch.parent + 1}): {count(branch.end - branch.start - 1, 'token')}, {len(trained):,} trained"
        + (f", of {messages}" if messages else "")
    )


def _stretch(view: RowView, places: range, sought: Collection[int], *, full: bool, bracketed: bool) -> Text:
    """Return the text of the tokens at some places of a row; of those ``sought`` none is folded away."""
    text, start = Text(), places.start
    for trained, tokens in groupby(view.tokens[start : places.stop], key=lambda token: token.trained):
        stop = start + sum(1 for _ in tokens)
        if trained:
            text.append(OPEN if bracketed else "")
            _append(text, view, start, stop)
            text.append(CLOSE if bracketed else "")
        elif full or stop - start <= FOLDED:
            _append(text, view, start, stop)
        else:
            _fold(text, view, start, stop, sought)
        start = stop
    return text


def _fold(text: Text, view: RowView, start: int, stop: int, sought: Collection[int]) -> None:
    """Append a long masked stretch to ``text``: its ends, and the surroundings of the text that was searched for."""
    kept = {*range(start, start + FOLDED // 2), *range(stop - FOLDED // 2, stop)}
    for index in sought:
        kept.update(range(max(start, index - _AROUND), min(stop, index + _AROUND + 1)))
    for shown, indices in groupby(range(start, stop), key=kept.__contains__):
        run = list(indices)
        if shown:
            _append(text, view, run[0], run[-1] + 1)
        else:
            text.append(f" … {len(run):,} masked tokens … ", FOLD)


def _heading(console: Console, view: RowView, total: int | None, *, full: bool) -> None:
    of = f" of {total:,}" if total is not None else ""
    share = f"{view.trained / len(view.tokens):.1%}" if view.tokens else "-"
    packed = f"document {view.place[1]} of packed row {view.place[0]}  " if view.place else ""
    heading = f"row {view.number}{of}  {packed}{view.where}  sequence {view.sequence}"
    heading += f"  a tree of {len(view.branches)} branches" if view.branches else ""
    line(console, f"{heading}  {len(view.tokens):,} tokens, {view.trained:,} trained ({share})", HEADING)
    counts = Counter(code for code, _ in view.findings)
    seen: set[str] = set()
    for code, detail in view.findings:
        if full or code not in seen:
            more = f" (and {counts[code] - 1} more)" if counts[code] > 1 and not full else ""
            line(console, f" {detail}{more}", WARNING, label=f"  {code}:")
        seen.add(code)


def _append(text: Text, view: RowView, start: int, stop: int) -> None:
    fresh = not start or view.tokens[start - 1].data.endswith(b"\n")
    for shown, style, first in pieces(view.tokens[start:stop], token_style, fresh=fresh):
        # A split token is the first of a trained stretch, and therefore the first of its piece.
        text.append(SPLIT if first.split else "", CUT)
        text.append(shown, style)


def _legend(*, bracketed: bool) -> Text:
    if bracketed:
        return Text(f"legend: {OPEN}trained{CLOSE}  {MARKS}")
    text = Text("legend: ")
    for label, role, part in _LEGEND:
        token = TokenView(0, 0, b"", role == "trained", role, part, -1, special=False)
        text.append(label, token_style(token))
        text.append("  ")
    text.append("special token", SPECIAL)
    text.append(f"  {MARKS}")
    return text


def _show_table(console: Console, view: RowView) -> None:
    trees = (">branch",) if view.branches else ()
    table = make_table(">index", *trees, ">id", "text", ">label", "role", "part", ">message")
    for column in table.columns:
        column.no_wrap = True  # one line a token, however long it is
    for token in view.tokens:
        label = str(token.id) if token.trained else "-100"
        shown = (SPLIT if token.split else "") + token_text(token)
        message = str(token.message) if token.message >= 0 else ""
        whose = [
            str(number) for number, branch in enumerate(view.branches, 1) if branch.start <= token.index < branch.end
        ]
        row = (str(token.index), *whose, str(token.id), shown, label, token.role, token.part, message)
        add_row(table, row, token_style(token))
    console.print(table)
