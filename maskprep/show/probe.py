"""A report about a template, on one screen. Text from templates and data is spelt out, never interpreted."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from maskprep.probe.command import FirstRows, ProbeReport
from maskprep.show.figures import show_noticed
from maskprep.show.safe import safe
from maskprep.show.styles import HEADING
from maskprep.show.tables import count, line, make_table, percent

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


def show_probe(console: Console, report: ProbeReport) -> None:
    """Print every statement about a template, and the counts of the first rows."""
    line(console, f"maskprep probe {report.tokenizer}", HEADING)
    table = make_table("", "")
    table.show_header = False
    for statement in report.statements:
        style = HEADING if statement.notable else ""
        table.add_row(Text(_TITLES[statement.name], HEADING), Text(safe(statement.text), style))
    console.print(table)
    if report.rows is not None:
        _show_rows(console, report.rows)


def _show_rows(console: Console, rows: FirstRows) -> None:
    tally = rows.tally
    share = percent(tally.trained, tally.tokens)
    line(
        console,
        f"first {count(tally.rows, 'row')}: {tally.used:,} used, {tally.rejected:,} rejected, {rows.split:,} split; "
        f"{count(tally.sequences, 'sequence')}, {tally.tokens:,} tokens, {tally.trained:,} trained ({share})",
        HEADING,
    )
    facts = tally.facts()
    show_noticed(console, "rejected rows", facts["rejects"])
    show_noticed(console, "warnings about rows that were used", facts["findings"])
