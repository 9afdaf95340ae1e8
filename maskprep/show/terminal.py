"""A build, an export and an error on a terminal: the details first, the verdict and what to do next last.

    sources, tokens by role and part, rejects, findings, notes      as long as they are
    done: rows, tokens, trained, time; the next commands            within the last screen of 80 x 24

Every cell is plain text: markup in data stays data.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.console import Console

from maskprep.build.commit import BuildReport
from maskprep.errors import MaskprepError
from maskprep.show.figures import packed, show_notes, show_noticed, show_parts, show_too_long, used
from maskprep.show.history_costs import show_history_costs
from maskprep.show.recommended import show_recommended
from maskprep.show.sources import show_sources
from maskprep.show.styles import BAD, GOOD, HEADING, WARNING
from maskprep.show.tables import count, line, percent, verbatim
from maskprep.show.vocabulary import show_vocabulary

_NAME = 10  # columns of the names in a verdict


def show_build(console: Console, report: BuildReport) -> None:
    """Print the summary of a build, and what to do next."""
    facts = report.manifest["totals"]
    show_sources(console, report.manifest["sources"], report.manifest["left_out"])
    show_parts(console, facts)
    show_too_long(console, facts["too_long"])
    _show_splits(console, report)
    show_vocabulary(console, report.manifest["vocabulary"])
    backend = report.manifest["tokenizer_backend"]
    line(console, f"tokenizer backend: {backend['name']}{' (' + backend['note'] + ')' if backend['note'] else ''}")
    show_noticed(console, "rejected rows", facts["rejects"])
    show_noticed(console, "warnings about rows that were used", facts["findings"])
    _show_ignored(console, report)
    show_notes(console, report.manifest.get("notes", []))
    _show_verdict(console, "build", report, report.output)


def show_export(console: Console, report: BuildReport, source: str) -> None:
    """Print the summary of an export of the build ``source``, and what to do next."""
    show_too_long(console, report.manifest["totals"]["too_long"])
    _show_splits(console, report)
    show_vocabulary(console, report.manifest["vocabulary"])
    show_notes(console, report.manifest.get("notes", []))
    _show_verdict(console, "export", report, f"{source} to {report.output}")


def _show_verdict(console: Console, done: str, report: BuildReport, what: str) -> None:
    """Print what became of the rows, and the next commands: no more than fits on a small screen."""
    line(console, "")
    shards = count(len(report.manifest["shards"]), "shard")
    line(console, f" {what}, {shards}", GOOD, label=f"maskprep {done}: done:")
    for name, text in _verdict(report):
        style = WARNING if name in {"rejected", "unfaithful"} else ""
        line(console, " " * (_NAME - len(name)) + text, style, label=f"  {name}", hang=_NAME + 2)
    folder = shlex.quote(report.output)
    line(console, "next:", HEADING)
    width = len(folder) + 27
    for words, why in (
        (f"inspect {folder}", "see the first row, token by token"),
        (f"inspect {folder} --stats", "what the data set is made of"),
        (f"settings {folder}", f"what {report.trainer['name']} must be told"),
        (f"verify {folder}", "prove that its loss is what you mean"),
    ):
        command = f"  {f'maskprep {words}':<{width}}"
        verbatim(console, f"{command}{why}" if len(command) + len(why) <= console.width else command.rstrip())
    verbatim(console, f"  open {report.report_file} in a browser")


def _verdict(report: BuildReport) -> Iterator[tuple[str, str]]:
    """Yield each figure of the verdict with its name."""
    facts = report.manifest["totals"]
    yield "rows", used(facts)
    if facts["rejects"]:
        yield "rejected", f"{facts['rows_rejected']:,}, each with its reason: {report.rejects_file}"
    sequences = count(facts["sequences"], "sequence")
    yield "tokens", f"{facts['tokens']:,} in {sequences}, the longest {facts['longest_sequence']:,}"
    yield "trained", f"{facts['trained_tokens']:,} tokens ({percent(facts['trained_tokens'], facts['tokens'])})"
    if facts["unfaithful_tokens"]:
        yield "unfaithful", f"{facts['unfaithful_tokens']:,} trained tokens stand in a context that no server sends"
    if text := packed(facts.get("packing")):
        yield "packed", text
    if report.seconds:
        yield "time", f"{report.seconds:,.1f} s, {facts['tokens'] / report.seconds:,.0f} tokens a second"
    yield "settings", report.settings_file


def _show_ignored(console: Console, report: BuildReport) -> None:
    for note in report.ignored:
        line(console, f" {note['key']}: {note['why']}", WARNING, label="no effect:")


def _show_splits(console: Console, report: BuildReport) -> None:
    for name, split in report.manifest.get("splits", {}).items():
        sequences, tokens = count(split["sequences"], "sequence"), count(split["tokens"], "token")
        line(console, f"{name}: {count(split['rows_used'], 'conversation')}, {sequences}, {tokens}")


def show_error(console: Console, error: MaskprepError) -> None:
    """Print the details of an error, its message, and last what to do next: that is still seen where there are many."""
    facts = getattr(error, "facts", {})
    if "histories" in facts:
        show_history_costs(console, facts)
    if facts.get("rejects"):
        show_noticed(console, "rejected rows", facts["rejects"])
        if "rejects_file" in facts:
            line(console, f"all of them, with their reasons: {facts['rejects_file']}")
    line(console, f" {error.message}", BAD, label="maskprep:")
    if facts.get("recommended"):
        show_recommended(console, facts["recommended"])
    elif error.hint:
        line(console, f" {error.hint}", HEADING, label="what to do:")
