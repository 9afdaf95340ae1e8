"""A verification as one HTML page: no script at all, curves as inline SVG, every text of data escaped."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maskprep.show.safe import safe
from maskprep.show.verify import PARTS, figures, parts
from maskprep.verify.command import VerifyReport
from maskprep.verify.result import Result

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1e22, #e9ecef); --muted: light-dark(#646a71, #9ba3ab);
  --rule: light-dark(#dfdfd8, #30353b); --sheet: light-dark(#fff, #1a1d21); --paper: light-dark(#f7f7f4, #131518);
  --passed: light-dark(#00705a, #3ccfa0); --failed: light-dark(#b23500, #ff8f66); --plain: light-dark(#2868a8, #7db6ee);
  --trained: light-dark(#d3f0e2, #11463a); --noted: light-dark(#8f5200, #e9ad5c); }
body { max-width: 980px; margin: 0 auto; padding: 24px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 20px; } h2 { margin: 0; font-size: 16px; } .muted { color: var(--muted); }
section { margin: 14px 0; padding: 14px 18px; border: 1px solid var(--rule); border-left: 5px solid var(--muted);
  border-radius: 8px; background: var(--sheet); overflow-wrap: anywhere; }
.passed { border-left-color: var(--passed); } .failed { border-left-color: var(--failed); }
.passed h2 span { color: var(--passed); } .failed h2 span, .fault { color: var(--failed); }
.flag { color: var(--noted); }
p, ul { margin: 6px 0; } table { margin: 8px 0; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 12px 2px 0; border-bottom: 1px solid var(--rule); text-align: left; }
td.figure, th.figure { text-align: right; } svg { width: 100%; height: auto; margin-top: 8px; }
svg text { fill: var(--muted); font-size: 12px; } .grid { stroke: var(--rule); } .band { fill: var(--trained); }
.one { stroke: var(--passed); } .two { stroke: var(--plain); } .one, .two { fill: none; stroke-width: 1.5; }
text.one { stroke: none; fill: var(--passed); } text.two { stroke: none; fill: var(--plain); }
"""


def page(report: VerifyReport) -> str:
    """Return a verification's report as an HTML page."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = _text(f"maskprep verify {report.path}")
    verdict = "every check passed or had nothing to look at" if report.passed else "a check failed"
    run = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures(report.run))
    body = "".join(_section(result) for result in report.results)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n<h1>{title}</h1>\n<p>{verdict}</p>\n<p class="muted">{_text(run)}</p>\n{body}</body>\n</html>\n'
    )


def _section(result: Result) -> str:
    pieces = [f"<h2>{_text(result.name)} <span>{result.verdict}</span></h2>", f"<p>{_text(result.said)}</p>"]
    if result.figures:
        shown = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures(result.figures))
        pieces.append(f'<p class="muted">{_text(shown)}</p>')
    pieces += [f'<p class="fault">{_text(fault)}</p>' for fault in result.faults]
    if result.fault_count > len(result.faults):
        pieces.append(f'<p class="fault">… {result.fault_count:,} in all</p>')
    pieces += [f'<p class="flag">note: {_text(flag)}</p>' for flag in result.flags]
    if result.advice:
        pieces.append(f"<p><b>what to do</b>: {_text(result.advice)}</p>")
    pieces += _drawn(result)
    return f'<section class="{result.verdict}">{"".join(pieces)}</section>\n'


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
        lines = [Line("with the mask", "one", curve["masked"]), Line("without", "two", curve["plain"])]
        title = f"size of the gradient for each token of row {curve['row']}, its trained tokens shaded"
        yield plot(title, lines, bands=curve["trained"], step=curve["width"])
    if facts.get("trained"):
        lines = [Line("trained tokens", "one", facts["trained"]), Line("masked tokens", "two", facts["masked"])]
        yield plot("mean loss of a token by step", lines)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], figures_from: int) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=figure' if index >= figures_from else ''}>{_text(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', headings)}</tr>{body}</table>"


def _text(text: str) -> str:
    return html.escape(safe(text))


_WIDTH, _HEIGHT = 900, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 30, 28


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, the class that colours it, and a value for each place."""

    name: str
    style: str
    values: Sequence[float]


def plot(title: str, lines: Sequence[Line], bands: Sequence[int] = (), step: int = 1) -> str:
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
        shapes.append(f'<text class="{line.style}" x="{_LEFT + 160 * index}" y="16">{html.escape(line.name)}</text>')
    name = html.escape(title)
    return f'<p>{name}</p><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">{"".join(shapes)}</svg>'


def _runs(bands: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of each stretch of ``bands`` that is not 0."""
    runs: list[tuple[int, int]] = []
    for place, band in enumerate(bands):
        if band and runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        elif band:
            runs.append((place, place + 1))
    return runs
