"""A report about a template, on one screen. Text from templates and data is spelt out, never interpreted."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from maskprep.probe.command import FirstRows, ProbeReport
from maskprep.probe.doctor import Mark, mark_of
from maskprep.recommend.recommendation import Recommendation
from maskprep.show.figures import show_noticed
from maskprep.show.safe import safe
from maskprep.show.styles import BAD, FOLD, GOOD, HEADING, WARNING
from maskprep.show.tables import add_row, count, line, make_table, percent, verbatim

_TITLES = {
    "roles": "roles",
    "fields": "fields",
    "generation_prompt": "generation prompt",
    "inserted": "inserted text",
    "stop": "stop token",
    "opening": "opening",
    "trims": "trims",
    "fit": "prompt fits",
    "variables": "variables",
    "order": "order of roles",
    "arguments": "tool arguments",
    "history": "history",
    "reasoning": "reasoning",
    "cost": "a chat of 6 turns",
    "clock": "clock",
    "beginning": "begin token",
    "marks": "generation marks",
}


_STYLES = {Mark.GOOD: GOOD, Mark.HEED: WARNING, Mark.BAD: BAD}
_WIDTH = max(map(len, _TITLES.values()))


def show_probe(console: Console, report: ProbeReport, *, full: bool = False) -> None:
    """Print every statement about a template, what becomes of the first rows, and the verdict last.

    ``full``: statements are printed in full, and not as one line each.
    """
    line(console, f"maskprep probe {report.tokenizer}", HEADING)
    for statement in report.statements:
        _show_marked(console, mark_of(statement), _TITLES[statement.name], statement.text, full=full)
    if report.rows is not None:
        _show_rows(console, report.rows, full=full)
    if not full:
        line(console, "(--facts tells these in full)", FOLD)
    line(console, "")
    line(console, "what this template can train:", HEADING)
    for each in report.capabilities:
        _show_marked(console, each.mark, each.name, each.text, full=True)
    line(console, "")
    if report.recommended is not None:
        _show_verdict(console, report.recommended, report.configuration, whose="your" if report.rows else "our own")


def _show_marked(console: Console, mark: Mark, title: str, text: str, *, full: bool) -> None:
    """Print a mark, a title and a sentence: all of it, or what there is room for in one line."""
    lead = Text.assemble((f"{mark} ", _STYLES[mark]), f"{title:<{_WIDTH}}  ")
    told = Text(safe(text))
    room = max(console.width - len(lead), 20)
    if full:
        lines = list(told.wrap(console, room))
    else:
        told.truncate(room, overflow="ellipsis")
        lines = [told]
    for number, each in enumerate(lines):
        each.rstrip()
        console.print((Text(" " * len(lead)) if number else lead) + each, soft_wrap=True)


def _show_verdict(console: Console, found: Recommendation, configuration: str, whose: str) -> None:
    """Print the configuration to paste, what it was tried on, and what other choices cost and train."""
    if found.others:
        table = make_table("other choices", ">rows", ">times", ">trained", ">in no server's context")
        for other in found.others:
            told = ", ".join(f"{key}: {str(value).lower()}" for key, value in other.settings.values.items())
            trained, wrong = f"{other.cost.trained_tokens:,}", f"{other.cost.unfaithful_tokens:,}"
            add_row(table, (told, f"{other.cost.rows:,}", f"{other.times:.2f}", trained, wrong))
        console.print(table)
        for other in found.others:
            last = list(other.settings.values.items())[-1]
            line(console, f"  - {last[0]}: {last[1]}: {other.means}", hang=4)
    for each in found.left:
        text = f"{count(each.rows, 'row')}, {each.code}, such as {each.where}: {each.why}"
        _show_marked(console, Mark.BAD, "cannot be used", text, full=True)
    if not found.useful:
        said = "another chat template. No setting makes these rows trainable with this one."
        if not found.blames_template:
            said = "mend the rows. None of them can be used as it is."
        line(console, f"Recommended: {said}", HEADING)
        return
    for why in found.why:
        line(console, f"  - {why}", hang=4)
    if not found.good:
        line(console, "For some of these rows no faithful way was found: take another chat template. For the rest:")
    line(console, f"Recommended, {found.summary().replace('these rows', f'{whose} rows')}:", HEADING)
    for text in configuration.splitlines():
        verbatim(console, f"  {text}")


def _show_rows(console: Console, rows: FirstRows, *, full: bool) -> None:
    tally = rows.tally
    share = percent(tally.trained, tally.tokens)
    told = (
        f"{tally.used:,} used, {tally.rejected:,} rejected, {rows.split:,} split; "
        f"{count(tally.sequences, 'sequence')}, {tally.tokens:,} tokens, {tally.trained:,} trained ({share})"
    )
    mark = Mark.BAD if not tally.used else Mark.HEED if tally.rejected else Mark.GOOD
    _show_marked(console, mark, f"first {count(tally.rows, 'row')}", told, full=True)
    facts = tally.facts()
    if full:
        show_noticed(console, "rejected rows", facts["rejects"])
        show_noticed(console, "warnings about rows that were used", facts["findings"])
        return
    for kind, what in ((Mark.BAD, "rejects"), (Mark.HEED, "findings")):
        for code, noticed in facts[what].items():
            text = f"{count(noticed['rows'], 'row')}: {noticed['example']['message']}"
            _show_marked(console, kind, code, text, full=False)
