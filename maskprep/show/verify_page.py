"""A verification as one HTML page: no script at all, plots as inline SVG, every text of data escaped."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence

from maskprep.checks.result import Result
from maskprep.commands.verify import VerifyReport
from maskprep.show.curves import Line, plot
from maskprep.show.safe import safe
from maskprep.show.verify import PARTS, figures, parts

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
    """Return the page."""
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
        means = [("nats a token", *(f"{place['nll']:.2f}" for place in places))]
        yield "<p>around the border in front of a completion; negative places are its header</p>"
        yield _table(("place", *(str(place["offset"]) for place in places)), means, figures_from=1)
    curve = facts.get("curve")
    if curve:
        lines = [Line("with the mask", "one", curve["masked"]), Line("without", "two", curve["plain"])]
        title = f"size of the gradient for each token of row {curve['row']}, its trained tokens shaded"
        yield plot(title, lines, bands=curve["trained"], step=curve["width"])
    if facts.get("trained"):
        lines = [Line("trained tokens", "one", facts["trained"]), Line("masked tokens", "two", facts["masked"])]
        yield plot("loss by step, nats a token", lines)


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
