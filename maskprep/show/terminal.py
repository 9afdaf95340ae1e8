"""Reports and errors as text for people. Every cell is plain text: markup in data stays data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskprep.commands.build import BuildReport
from maskprep.errors import MaskprepError
from maskprep.sequences import History
from maskprep.show.safe import safe

_LONGEST_MESSAGE = 700
_MEANING = {
    History.SPLIT: "every turn is trained, in exactly its own context",
    History.MASK: "one sequence a row; trains only the turns that it shows in their own context",
    History.RENDERED: "one sequence a row; trains every turn as it stands there, in its own context or not",
}


def show_build(console: Console, report: BuildReport) -> None:
    """Print the summary of a build, and what to do next."""
    facts = report.manifest["totals"]
    _line(console, "maskprep build: done", "bold green")
    _line(console, f"{report.output}: {_count(len(report.manifest['shards']), 'shard')}")
    _show_totals(console, facts)
    _show_noticed(console, "rejected rows", facts["rejects"])
    if facts["rejects"]:
        _line(console, f"all of them, with their reasons: {report.rejects_file}")
    _show_noticed(console, "findings in rows that were used", facts["findings"])
    _line(console, "next:", "bold")
    _line(console, f'  python -c "import datasets; print(datasets.load_from_disk({report.output!r}))"')


def show_error(console: Console, error: MaskprepError) -> None:
    """Print what went wrong and what to do next."""
    _line(console, f"maskprep: {error.message}", "bold red")
    facts = getattr(error, "facts", {})
    if "histories" in facts:
        _show_histories(console, facts)
    if facts.get("rejects"):
        _show_noticed(console, "rejected rows", facts["rejects"])
        _line(console, f"all of them, with their reasons: {facts['rejects_file']}")
    if error.hint:
        _line(console, f"what to do: {error.hint}")


def _show_totals(console: Console, facts: Mapping[str, Any]) -> None:
    rows = _count(facts["rows"], "conversation")
    _line(console, f"{rows} read, {facts['rows_used']:,} used, {facts['rows_rejected']:,} rejected")
    share = _percent(facts["trained_tokens"], facts["tokens"])
    _line(
        console,
        f"{_count(facts['sequences'], 'sequence')}, {facts['tokens']:,} tokens, "
        f"{facts['trained_tokens']:,} trained ({share}), the longest sequence {facts['longest_sequence']:,}",
    )
    if facts["unfaithful_tokens"]:
        _line(console, f"{facts['unfaithful_tokens']:,} of them in a context that no server sends", "yellow")
    table = _table("role", "part", ">tokens", ">trained", ">of its tokens", ">of all trained")
    for entry in facts["by_role_and_part"]:
        tokens, trained = entry["tokens"], entry["trained_tokens"]
        of_its, of_all = _percent(trained, tokens), _percent(trained, facts["trained_tokens"])
        cells = (entry["role"], entry["part"], f"{tokens:,}", f"{trained:,}", of_its, of_all)
        _row(table, cells, "green" if trained else "dim")
    console.print(table)


def _show_noticed(console: Console, title: str, noticed: Mapping[str, Mapping[str, Any]]) -> None:
    if not noticed:
        return
    _line(console, f"{title}:", "bold")
    for code, facts in sorted(noticed.items(), key=lambda item: -item[1]["rows"]):
        example = facts["example"]
        _line(console, f"  {code}: {_count(facts['rows'], 'row')}", "yellow")
        _line(console, f"    for example {example['file']}:{example['line']}: {_short(example['message'])}")
        if facts.get("hint"):
            _line(console, f"    way out: {facts['hint']}")


def _show_histories(console: Console, facts: Mapping[str, Any]) -> None:
    table = _table("--history", ">rows", ">sequences", ">tokens", ">trained", ">unfaithful")
    for name, cost in facts["histories"].items():
        keys = ("rows", "sequences", "tokens", "trained_tokens", "unfaithful_tokens")
        _row(table, (name, *(f"{cost[key]:,}" for key in keys)))
    console.print(table)
    for history, meaning in _MEANING.items():
        _line(console, f"  {history}: {meaning}")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading.lstrip(">"), justify="right" if heading.startswith(">") else "left")
    return table


def _row(table: Table, cells: Sequence[str], style: str = "") -> None:
    table.add_row(*(Text(safe(cell), style) for cell in cells))


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(safe(text, keep="\n"), style), soft_wrap=True)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
