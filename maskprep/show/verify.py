"""A verification on a terminal: one block a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.show.styles import BAD, GOOD, HEADING, WARNING
from maskprep.show.tables import add_row, line, make_table
from maskprep.verify.command import VerifyReport
from maskprep.verify.result import Result, Verdict

_MARK = {Verdict.PASSED: ("✓", GOOD), Verdict.FAILED: ("✗", BAD), Verdict.SKIPPED: ("–", "")}
_INDENT = " " * 13
_MOST = 3  # sources that are not found, named one by one

PARTS = ("role", "part", ">trained", ">loss", ">all tokens", ">loss, no mask")
"""The headings of the columns that ``parts`` yields; those that begin with ``>`` stand over figures."""


def show_verification(console: Console, report: VerifyReport, page: str | None) -> None:
    """Print the result of every check, with advice where one failed."""
    for result in report.results:
        _show_result(console, result)
    facts = {result.name: result.facts for result in report.results}
    # A real model's losses are those of the check `loss`: they are shown once.
    _show_parts(console, facts["loss"].get("by_role_and_part", ()))
    _show_places(console, facts["model"].get("around_the_border", ()))
    run = report.run
    if "device" in run:
        line(
            console,
            f"{run['model']}, {run['dtype']} with a float32 loss on {run['device']}, {run['attention']}: "
            f"{run['tokens']:,} tokens, {run['tokens_per_second']:,.0f} a second, "
            f"{run['peak_memory_bytes'] / 2**30:.2f} GiB at the peak",
        )
    if page is not None:
        line(console, f"plots: open {page} in a browser")
    _show_verdict(console, report)


def _show_verdict(console: Console, report: VerifyReport) -> None:
    """Print how many checks passed, failed and were skipped; a source that is gone is no reason to be calm."""
    named = {verdict: [each.name for each in report.results if each.verdict is verdict] for verdict in Verdict}
    failed, skipped = named[Verdict.FAILED], named[Verdict.SKIPPED]
    missing = next((each.facts.get("not_found") for each in report.results if each.name == "source"), None) or ()
    told = [f"failed: {', '.join(failed)}"] if failed else []
    told += [f"{len(named[Verdict.PASSED])} passed"]
    gone = (
        [f"source not found at {', '.join(missing[:_MOST])}{' …' if len(missing) > _MOST else ''}"] if missing else []
    )
    others = [name for name in skipped if not (missing and name == "source")]
    if skipped:
        told += [f"{len(skipped)} skipped ({'; '.join(filter(None, [*gone, ', '.join(others)]))})"]
    else:
        told += gone
    style = BAD if failed else WARNING if missing else GOOD
    line(console, f" {', '.join(told)}; {report.run['seconds']:,.1f} s", style, label="maskprep verify:")


def _show_result(console: Console, result: Result) -> None:
    mark, style = _MARK[result.verdict]
    name = f"{mark} {result.name}"
    line(console, f"{'':<{len(_INDENT) - len(name)}}{result.said}", style, label=name, hang=len(_INDENT))
    if result.figures:
        line(console, _INDENT + "  ".join(figures(result.figures)), hang=len(_INDENT))
    for fault in result.faults:
        line(console, f" {fault}", BAD, label=f"{_INDENT}✗")
    if result.fault_count > len(result.faults):
        line(console, f"{_INDENT}… {result.fault_count:,} in all")
    for flag in result.flags:
        line(console, f" {flag}", HEADING, label=f"{_INDENT}note:")
    if result.advice:
        line(console, f" {result.advice}", HEADING, label=f"{_INDENT}what to do:")


def figures(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield each figure with its name as text: whole numbers with separators, others with the digits that matter."""
    for name, value in values.items():
        if isinstance(value, str):
            shown = value
        elif isinstance(value, int):
            shown = f"{value:,}"
        else:
            shown = f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.1e}"  # noqa: PLR2004
        yield f"{name.replace('_', ' ')} {shown}"


def parts(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield, for each role and part and for all, the trained tokens and their loss beside all tokens and theirs."""
    for kind in [*dict.fromkeys((entry["role"], entry["part"]) for entry in entries), ("all", "")]:
        chosen = [entry for entry in entries if kind in {("all", ""), (entry["role"], entry["part"])}]
        yield *kind, *_mean([entry for entry in chosen if entry["trained"]]), *_mean(chosen)


def _mean(entries: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    tokens = sum(entry["tokens"] for entry in entries)
    total = sum(entry["nll"] * entry["tokens"] for entry in entries)
    return (f"{tokens:,}", f"{total / tokens:.3f}") if tokens else ("", "")


def _show_parts(console: Console, entries: Sequence[Mapping[str, Any]]) -> None:
    if entries:
        line(console, "mean loss of a token (negative log-likelihood), with the mask and without", HEADING)
        table = make_table(*PARTS)
        for cells in parts(entries):
            add_row(table, cells, HEADING if cells[2] else "")
        console.print(table)


def _show_places(console: Console, places: Sequence[Mapping[str, Any]]) -> None:
    if places:
        line(console, "around the prompt/completion boundary (negative: the header)", HEADING)
        table = make_table("place", *(f">{place['offset']}" for place in places))
        add_row(table, ("loss", *(f"{place['nll']:.2f}" for place in places)))
        console.print(table)
