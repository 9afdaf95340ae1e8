"""A verification on the page of its build: a view beside rows and figures, made without script.

Curves are inline SVG, and every text of data is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskprep.dataset.statistics import statistics
from maskprep.errors import MaskprepError
from maskprep.inspect.output import Output
from maskprep.inspect.views import View
from maskprep.show.html import text
from maskprep.show.page import Checks, write_page
from maskprep.show.verify import PARTS, figures, parts
from maskprep.verify.command import VerifyReport
from maskprep.verify.result import Result, Verdict

_WORST_FIRST = (Verdict.FAILED, Verdict.PASSED, Verdict.SKIPPED)


def write_verify_page(path: Path, report: VerifyReport) -> int:
    """Write the build's page with the results of a verification in it to ``path``; return its size in bytes.

    Where the build is too damaged for its rows to be shown, the results are there alone. Raises ``OSError``.
    """
    rows: list[View] = []
    told: dict[str, Any] = {}
    try:
        output = Output.open(report.path)
        rows = list(output.page_rows())
        told = {"statistics": statistics(output.data).facts(), "run": output.run_facts()}
    except MaskprepError:  # which the results tell
        rows = []
    checks = Checks(_badge(report.results), _body(report))
    return write_page(path, f"{report.path} · maskprep verify", rows, **{"statistics": None, **told}, checks=checks)


def _badge(results: Sequence[Result]) -> str:
    """Return how many checks passed, were skipped and failed."""
    counts = Counter(result.verdict for result in results)
    words = (_verdict(verdict, f"{counts[verdict]} ") for verdict in _WORST_FIRST if counts[verdict])
    return f'<span class="verdicts">{" ".join(words)}</span>'


def _verdict(verdict: Verdict, count: str = "") -> str:
    return f'<span class="{verdict}">{count}{verdict}</span>'


def _body(report: VerifyReport) -> Iterator[str]:
    verdict = "Every check passed or had nothing to look at." if report.passed else "A check failed."
    yield f'<p class="verdict">{verdict}</p>\n<p class="muted">{text(_run(report.run))}</p>\n'
    yield from map(_section, report.results)


def _run(run: Mapping[str, Any]) -> str:
    """Return what the checks were made with, in one line."""
    took = f"{run['seconds']:,.0f} s"
    if "device" not in run:
        return took
    return f"{run['model']}; {run['dtype']} on {run['device']}, {run['attention']}; {run['tokens']:,} tokens; {took}"


def _section(result: Result) -> str:
    pieces = [f"<h2>{text(result.name)} {_verdict(result.verdict)}</h2>", f"<p>{text(result.said)}</p>"]
    if result.figures:
        pieces.append(f'<p class="muted">{text(" · ".join(figures(result.figures)))}</p>')
    pieces += [f'<p class="fault">{text(fault)}</p>' for fault in result.faults]
    if result.fault_count > len(result.faults):
        pieces.append(f'<p class="fault">… {result.fault_count:,} in all</p>')
    pieces += [f'<p class="flag">note: {text(flag)}</p>' for flag in result.flags]
    if result.advice:
        pieces.append(f"<p><b>what to do</b>: {text(result.advice)}</p>")
    pieces += _drawn(result)
    return f'<section class="check {result.verdict}">{"".join(pieces)}</section>\n'


def _drawn(result: Result) -> Iterable[str]:
    facts = result.facts
    table = facts.get("by_role_and_part")
    if table and result.name == "loss":  # those of `model` are the same
        yield _table([heading.lstrip(">") for heading in PARTS], list(parts(table)), figures_from=2)
    places = facts.get("around_the_border")
    if places:
        means = [("mean loss", *(f"{place['nll']:.2f}" for place in places))]
        yield "<p>around the prompt/completion boundary; negative places are the header</p>"
        yield _table(("place", *(str(place["offset"]) for place in places)), means, figures_from=1)
    curve = facts.get("curve")
    if curve:
        lines = [Curve("with the mask", "one", curve["masked"]), Curve("without", "two", curve["plain"])]
        title = f"size of the gradient for each token of row {curve['row']}, its trained tokens shaded"
        yield plot(title, lines, bands=curve["trained"], step=curve["width"])
    if facts.get("trained"):
        lines = [Curve("trained tokens", "one", facts["trained"]), Curve("masked tokens", "two", facts["masked"])]
        yield plot("mean loss of a token by step", lines)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], figures_from: int) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=figure' if index >= figures_from else ''}>{text(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table class=losses><tr>{cells('th', headings)}</tr>{body}</table>"


_WIDTH, _HEIGHT = 900, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 30, 28


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: its name, the class that colours it, and a value for each place."""

    name: str
    style: str
    values: Sequence[float]


def plot(title: str, lines: Sequence[Curve], bands: Sequence[int] = (), step: int = 1) -> str:
    """Return a figure of curves over places 0, ``step``, 2 ``step`` …; places where ``bands`` is not 0 are shaded."""
    count = max(len(line.values) for line in lines)
    highest = max((value for line in lines for value in line.values), default=0.0) or 1.0
    across = (_WIDTH - _LEFT - _RIGHT) / max(count - 1, 1)
    down = _HEIGHT - _TOP - _BOTTOM

    def x(place: float) -> str:
        return f"{_LEFT + place * across:.1f}"

    def y(value: float) -> str:
        return f"{_TOP + (1 - value / highest) * down:.1f}"

    shapes = [
        f'<rect class="band" x="{x(start)}" y="{_TOP}" width="{(stop - start) * across:.1f}" height="{down}"/>'
        for start, stop in _runs(bands)
    ]
    for share in (0.0, 0.5, 1.0):
        level = y(share * highest)
        shapes.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level}" y2="{level}"/>')
        shapes.append(f'<text x="{_LEFT - 6}" y="{level}" text-anchor="end">{share * highest:.3g}</text>')
    shapes += [
        f'<text x="{x(place)}" y="{_HEIGHT - 8}" text-anchor="middle">{place * step:,}</text>'
        for place in sorted({0, (count - 1) // 2, count - 1})
    ]
    for index, line in enumerate(lines):
        points = " ".join(f"{x(place)},{y(value)}" for place, value in enumerate(line.values))
        shapes.append(f'<polyline class="{line.style}" points="{points}"/>')
        shapes.append(f'<text class="{line.style}" x="{_LEFT + 160 * index}" y="16">{text(line.name)}</text>')
    name = text(title)
    box = f'class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<p>{name}</p><svg {box} role="img" aria-label="{name}">{"".join(shapes)}</svg>'


def _runs(bands: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of each stretch of ``bands`` that is not 0."""
    runs: list[tuple[int, int]] = []
    for place, band in enumerate(bands):
        if band and runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        elif band:
            runs.append((place, place + 1))
    return runs
