"""Rows on a terminal: every token in the colours of the mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from maskprep.commands.inspect import InspectReport
from maskprep.commands.views import RejectView, RowView, TokenView
from maskprep.show.safe import safe
from maskprep.show.tables import add_row, line, make_table

FOLDED = 60  # masked tokens that are shown in full; of longer stretches, half of these at either end

_ROLE_STYLES = {
    "system": "blue",
    "developer": "blue",
    "user": "cyan",
    "tool": "yellow",
    "assistant": "green",
    "template": "bright_black",
}
_LEGEND = (
    ("trained", "trained", "content"),
    ("trained scaffold", "trained", "scaffold"),
    ("stop token", "trained", "stop"),
    *((role, role, "content") for role in ("system", "user", "tool", "assistant", "template")),
)


def show_rows(console: Console, report: InspectReport, *, full: bool, table: bool) -> None:
    """Print the rows of a report.

    Args:
        console: where to.
        report: the rows.
        full: whether long masked stretches are shown whole.
        table: whether to print one line a token instead of the text.
    """
    bracketed = console.color_system is None
    for index, view in enumerate(report.rows):
        if index:
            line(console, "")
        if isinstance(view, RejectView):
            show_reject(console, view)
            continue
        _heading(console, view, report.total)
        if table:
            _show_table(console, view)
        else:
            console.print(row_text(view, full=full, bracketed=bracketed), soft_wrap=True)
    if not table and any(isinstance(view, RowView) for view in report.rows):
        line(console, "")
        console.print(_legend(bracketed=bracketed), soft_wrap=True)


def row_text(view: RowView, *, full: bool, bracketed: bool) -> Text:
    """Return the text of a row, each token in its style; with ``bracketed``, trained stretches stand in ⟦ ⟧, too."""
    text = Text()
    for trained, tokens in groupby(view.tokens, key=lambda token: token.trained):
        run = list(tokens)
        if trained:
            text.append("⟦" if bracketed else "")
            _append(text, run)
            text.append("⟧" if bracketed else "")
        elif full or len(run) <= FOLDED:
            _append(text, run)
        else:
            half = FOLDED // 2
            _append(text, run[:half])
            text.append(f" … {len(run) - FOLDED:,} masked tokens … ", "italic bright_black")
            _append(text, run[-half:])
    return text


def show_reject(console: Console, view: RejectView) -> None:
    """Print why a source row cannot be used, and where prompt and rendering part."""
    line(console, f"row {view.number}  {view.where}  rejected: {view.code}", "bold red")
    line(console, view.message)
    if "prompt" in view.details and "rendered" in view.details:
        for name, title in (("prompt", "the server's prompt"), ("rendered", "the turn as rendered")):
            shown = view.details[name]
            text = Text(f"{title:>20}  ", "bold")
            text.append(_one_line(shown["before"][-60:]), "bright_black")
            text.append("▶", "bold red")
            text.append(_one_line(shown["after"][:60]), "bold")
            console.print(text, soft_wrap=True)
        line(console, f"{'graft trains':>20}  {_one_line(view.details['graft'][-160:])}")
        line(console, f"{'train trains':>20}  {_one_line(view.details['train'][:160])}")
    elif view.source:
        line(console, f"the row begins: {_one_line(view.source[:400])}", "bright_black")
    if view.hint:
        line(console, f"way out: {view.hint}")


def _heading(console: Console, view: RowView, total: int | None) -> None:
    of = f" of {total:,}" if total is not None else ""
    share = f"{view.trained / len(view.tokens):.1%}" if view.tokens else "-"
    heading = f"row {view.number}{of}  {view.where}  sequence {view.sequence}"
    line(console, f"{heading}  {len(view.tokens):,} tokens, {view.trained:,} trained ({share})", "bold")
    for code, detail in view.findings:
        line(console, f"  {code}: {detail}", "yellow")


def _append(text: Text, tokens: Sequence[TokenView]) -> None:
    for shown, token in characters(tokens):
        if token.split:
            text.append("╎", "bold red")
        text.append(shown, _style(token))


def characters(tokens: Sequence[TokenView]) -> Iterator[tuple[str, TokenView]]:
    """Yield what is shown of each token: its text, or the bytes of one that is a part of a character."""
    for token in tokens:
        whole = token.text
        yield ("".join(f"‹{byte:02X}›" for byte in token.data) if whole is None else _visible(whole), token)


def _style(token: TokenView) -> str:
    if token.trained:
        style = {"stop": "bold black on magenta", "scaffold": "green reverse"}.get(token.part, "bold black on green")
    else:
        style = f"dim {_ROLE_STYLES.get(token.role, '')}"
        style += " italic" if token.part == "scaffold" else ""
    return style + (" underline" if token.special else "")


def _visible(text: str) -> str:
    """Spell out what acts, and make visible what is white: line breaks, tabs, and blanks that are easily missed."""
    lines = safe(text, keep="\n\t").replace("\t", "⇥").split("\n")
    return "↵\n".join(_dotted(part, first=not index) for index, part in enumerate(lines))


def _dotted(text: str, *, first: bool) -> str:
    """Write blanks as dots where they are more than one, or where a line begins or ends with them."""
    inner = text.strip(" ")
    lead = len(text) - len(text.lstrip(" "))
    trail = len(text) - lead - len(inner)
    # One blank in front of a word is how most tokens begin: that one stays white.
    start = " " if lead == 1 and first and inner else "·" * lead
    return start + inner.replace("  ", "··") + "·" * trail


def _one_line(text: str) -> str:
    return _visible(text).replace("\n", "")


def _legend(*, bracketed: bool) -> Text:
    if bracketed:
        return Text(
            "legend: ⟦trained⟧  ╎ a token was split here  ↵ line break  ⇥ tab  · blank  ‹E4› part of a character"
        )
    text = Text("legend: ")
    for label, role, part in _LEGEND:
        token = TokenView(0, 0, b"", role == "trained", role, part, -1, special=False)
        text.append(label, _style(token))
        text.append("  ")
    text.append("special token", "underline")
    text.append("  ╎ a token was split here  ↵ line break  ⇥ tab  · blank  ‹E4› part of a character")
    return text


def _show_table(console: Console, view: RowView) -> None:
    table = make_table(">index", ">id", "text", ">label", "role", "part", ">message")
    for shown, token in characters(view.tokens):
        label = str(token.id) if token.trained else "-100"
        cells = (str(token.index), str(token.id), shown.replace("\n", ""), label, token.role, token.part)
        message = str(token.message) if token.message >= 0 else ""
        add_row(table, (*cells, message), "bold green" if token.trained else "dim")
    console.print(table)
