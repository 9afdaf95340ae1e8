"""Curves as inline SVG: figures and words of our own, nothing of the data."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

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
    """Return where stretches of places that are not 0 begin and end."""
    runs: list[tuple[int, int]] = []
    for place, band in enumerate(bands):
        if band and runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        elif band:
            runs.append((place, place + 1))
    return runs
