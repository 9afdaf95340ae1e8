"""A recommendation as text for people: one command or YAML, what it was tried on, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from maskprep.recommend.recommendation import SEE
from maskprep.show.safe import safe
from maskprep.show.tables import count, line


def show_recommended(console: Console, recommended: Mapping[str, Any]) -> None:
    """Print a recommendation, as its ``facts`` have it with ``command``, ``yaml`` and ``in_file``."""
    left = recommended["left"]
    if not recommended["useful"]:
        line(
            console, "Recommended: another chat template. No setting makes these rows trainable with this one:", "bold"
        )
        _show_left(console, left)
        line(console, f"  {SEE}")
        return
    if not recommended["good"]:
        line(console, "For some of these rows no faithful way was found:", "bold")
        _show_left(console, left)
    where = ", to add to your configuration" if recommended.get("in_file") else ""
    instead = "" if recommended["good"] else " another chat template; or, for the rest:"
    line(console, f"Recommended{where}:{instead}", "bold green")
    if recommended.get("in_file"):
        for text in recommended["yaml"].splitlines():
            line(console, f"  {text}")
    else:
        line(console, f"  {recommended['command']}")
    paragraph(console, recommended["summary"], "  ")
    for why in recommended["why"]:
        paragraph(console, f"- {why}", "  ")
    if recommended["good"]:
        _show_left(console, left)


def _show_left(console: Console, left: list[Mapping[str, Any]]) -> None:
    for each in left:
        paragraph(console, f"- {count(each['rows'], 'row')}, {each['code']}, such as {each['example']}: {each['why']}",
                  "  ")  # fmt: skip


def paragraph(console: Console, text: str, indent: str = "", style: str = "") -> None:
    """Print a neutralised text, wrapped at words, its later lines two columns further in."""
    wrapped = Text(safe(text), style).wrap(console, max(console.width - len(indent) - 2, 20))
    for number, each in enumerate(wrapped):
        each.rstrip()
        console.print(Text(indent + "  " * (number > 0)) + each, soft_wrap=True)
