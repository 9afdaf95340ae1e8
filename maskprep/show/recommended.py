"""A recommendation as text for people: one command or YAML, what it was tried on, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from maskprep.recommend.recommendation import SEE
from maskprep.show.styles import GOOD, HEADING
from maskprep.show.tables import count, line, verbatim


def show_recommended(console: Console, recommended: Mapping[str, Any]) -> None:
    """Print a recommendation, as its ``facts`` have it with ``command``, ``yaml`` and ``in_file``."""
    left = recommended["left"]
    if not recommended["useful"]:
        said = "another chat template. No setting makes these rows trainable with this one:"
        if not recommended["blames_template"]:
            said = "mend the rows. None of them can be used as it is:"
        line(console, f"Recommended: {said}", HEADING)
        _show_left(console, left)
        if recommended["blames_template"]:
            line(console, f"  {SEE}")
        return
    if not recommended["good"]:
        line(console, "For some of these rows no faithful way was found:", HEADING)
        _show_left(console, left)
    where = ", to add to your configuration" if recommended.get("in_file") else ""
    instead = "" if recommended["good"] else " another chat template; or, for the rest:"
    line(console, f"Recommended{where}:{instead}", GOOD)
    if recommended.get("in_file"):
        for text in recommended["yaml"].splitlines():
            verbatim(console, f"  {text}")
    else:
        verbatim(console, f"  {recommended['command']}")
    line(console, f"  {recommended['summary']}")
    for why in recommended["why"]:
        line(console, f"  - {why}", hang=4)
    if recommended["good"]:
        _show_left(console, left)


def _show_left(console: Console, left: list[Mapping[str, Any]]) -> None:
    for each in left:
        line(console, f"  - {count(each['rows'], 'row')}, {each['code']}, such as {each['example']}: {each['why']}")
