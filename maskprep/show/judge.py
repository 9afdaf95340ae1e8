"""What judging found, on a terminal: a table of faults by kind, and documents with both masks."""

from __future__ import annotations

from rich.console import Console

from maskprep.judge.faults import MEANINGS
from maskprep.judge.report import JudgeReport
from maskprep.show.compared import differences
from maskprep.show.styles import BAD, FIRST, GOOD, HEADING, SECOND, WARNING
from maskprep.show.tables import add_row, count, line, make_table


def show_judgement(console: Console, report: JudgeReport) -> None:
    """Print the report of ``maskprep judge``."""
    _show_data(console, report)
    _show_faults(console, report)
    if report.examples:
        line(console, "")
        line(console, "+ trained here, and not by the law", FIRST)
        line(console, "- trained by the law, and not here", SECOND)
    for view in report.examples:
        line(console, "")
        said = ", ".join(f"{tokens} {code}" for code, tokens in view.findings)
        document = f"  document {view.sequence}" if view.sequence else ""
        line(console, f"{view.where}{document}: {said}", HEADING)
        console.print(differences(view), soft_wrap=True)


def _show_data(console: Console, report: JudgeReport) -> None:
    told = f"by {', '.join(report.masks)}" if report.masks else "no column says what is trained: all tokens are"
    line(console, f"{count(report.rows, 'row')}, {count(report.documents, 'document')}, {report.tokens:,} tokens")
    line(console, f"{count(report.trained, 'trained token')} ({told})")
    if not report.whole:
        line(console, "the rows behind these were not read: --rows all", WARNING)
    if report.source_rows is not None:
        line(console, f"held against the source: {count(report.by_source, 'document')}, {count(report.turns, 'turn')}")
    if report.alone:
        line(console, f"by ids and mask alone: {count(report.alone, 'document')}", WARNING)
    for why, number in report.why_alone.most_common():
        line(console, f"  {why}: {number:,}", WARNING)
    if report.missing and report.whole:
        first = f"the first is {report.first_missing}"
        line(console, f"source rows that no document was made of: {report.missing:,}; {first}", WARNING)
    for why, number in report.unreadable.items():
        line(console, f"unreadable: {count(number, 'row')}: {why}", BAD)


def _show_faults(console: Console, report: JudgeReport) -> None:
    line(console, "")
    if not report.faults:
        said = "something could not be read" if report.wrong else "nothing is wrong"
        line(console, f"maskprep judge: {said}", BAD if report.wrong else GOOD)
        return
    table = make_table("wrong", "kind", ">tokens", ">per 1,000 trained", ">documents", "first")
    for kind, found in report.faults.items():
        cells = (MEANINGS[kind].title, str(kind), f"{found.tokens:,}", f"{report.per_thousand(kind):.1f}")
        add_row(table, (*cells, f"{found.documents:,}", found.places[0]))
    console.print(table)
    for kind in report.faults:
        line(console, f"{kind}: counted are {MEANINGS[kind].counted}; what to do: {MEANINGS[kind].fix}")
    line(console, f"maskprep judge: {report.faulty:,} of {count(report.documents, 'document')} are wrong", BAD)
