"""A verification on a terminal: one block a check, a bar while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from maskprep.checks.result import Result, Verdict
from maskprep.commands.verify import VerifyReport
from maskprep.show.tables import add_row, count, line, make_table

_MARK = {Verdict.PASSED: ("✓", "green"), Verdict.FAILED: ("✗", "bold red"), Verdict.SKIPPED: ("–", "dim")}
_INDENT = " " * 13


class VerifyProgress:
    """Shows which check runs, on a terminal; a context manager."""

    def __init__(self, console: Console) -> None:
        """Show on ``console``, where it is a terminal."""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.stop()

    def start(self, name: str, total: int) -> None:
        """Begin a check."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"verifying: {name}", total=total)

    def advance(self, amount: int) -> None:
        """Note that ``amount`` more are done."""
        if self._task is not None:
            self._bar.advance(self._task, amount)


def show_verification(console: Console, report: VerifyReport, page: str | None) -> None:
    """Print what every check found, with what to do where one failed."""
    for result in report.results:
        _show_result(console, result)
    for result in report.results:
        if result.name in {"loss", "model"} and result.facts.get("by_role_and_part"):
            _show_parts(console, result)
    run = report.run
    if "device" in run:
        line(
            console,
            f"{run['model']}, {run['dtype']} with a float32 loss on {run['device']}, {run['attention']}: "
            f"{run['tokens']:,} tokens, {run['tokens_per_second']:,.0f} a second, "
            f"{run['peak_memory_bytes'] / 2**30:.2f} GiB at the peak",
        )
    failed = [result.name for result in report.results if result.verdict is Verdict.FAILED]
    if failed:
        line(console, f"maskprep verify: failed: {', '.join(failed)} ({run['seconds']:,.1f} s)", "bold red")
    else:
        passed = sum(result.verdict is Verdict.PASSED for result in report.results)
        line(console, f"maskprep verify: {count(passed, 'check')} passed ({run['seconds']:,.1f} s)", "bold green")
    if page is not None:
        line(console, f"plots: open {page} in a browser")


def _show_result(console: Console, result: Result) -> None:
    mark, style = _MARK[result.verdict]
    line(console, f"{mark} {result.name:<10} {result.said}", style)
    if result.figures:
        line(console, _INDENT + "  ".join(f"{name.replace('_', ' ')} {said}" for name, said in figures(result.figures)))
    for fault in result.faults:
        line(console, f"{_INDENT}{fault}", "red")
    if result.fault_count > len(result.faults):
        line(console, f"{_INDENT}… {result.fault_count:,} in all", "red")
    for flag in result.flags:
        line(console, f"{_INDENT}note: {flag}", "yellow")
    if result.advice:
        line(console, f"{_INDENT}what to do: {result.advice}")


def figures(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield figures as they are shown: whole numbers with separators, others with as many digits as tell something."""
    for name, value in values.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, int):
            yield name, f"{value:,}"
        else:
            yield name, f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.1e}"  # noqa: PLR2004


def _show_parts(console: Console, result: Result) -> None:
    line(console, f"{result.name}: mean negative log-likelihood in nats a token", "bold")
    table = make_table("role", "part", "", ">tokens", ">nats")
    for entry in result.facts["by_role_and_part"]:
        trained = "trained" if entry["trained"] else ""
        cells = (entry["role"], entry["part"], trained, f"{entry['tokens']:,}", f"{entry['nll']:.3f}")
        add_row(table, cells, "green" if trained else "dim")
    console.print(table)
    places = result.facts.get("around_the_border")
    if places:
        line(console, "around the border in front of a completion (negative: its header)", "bold")
        table = make_table("place", *(f">{place['offset']}" for place in places))
        add_row(table, ("nats", *(f"{place['nll']:.2f}" for place in places)))
        console.print(table)
