"""A rejected row on a terminal: why it cannot be used, and where the fault lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from maskprep.inspect.views import RejectView
from maskprep.show.marks import CLOSE, OPEN, one_line
from maskprep.show.styles import BAD, CUT, HEADING, MASKED, TRAINED
from maskprep.show.tables import line

_BEFORE, _AFTER = 60, 100  # characters shown of a text, before and after the place where two texts part
_INDENT = 20


def show_reject(console: Console, view: RejectView) -> None:
    """Print why a source row cannot be used, the text around the fault, and where prompt and rendering part."""
    row = f"row {view.number}  " if view.number >= 0 else ""
    line(console, f"{row}{view.where}  rejected: {view.code}", BAD)
    line(console, view.message)
    if "prompt" in view.details and "rendered" in view.details:
        _show_parting(console, view.details)
    elif view.around:
        text = Text(f"{view.around.title}: ", HEADING)
        text.append(one_line(view.around.before), MASKED)
        text.append("▶" if view.around.before else "", CUT)
        text.append(one_line(view.around.after))
        console.print(text, soft_wrap=True)
    if view.hint:
        line(console, f"fix: {view.hint}")


def _show_parting(console: Console, details: Mapping[str, Any]) -> None:
    """Print prompt and rendering up to where they part, one under the other, and what graft and train would train."""
    line(console, "the two texts, and ▶ where they part:", HEADING)
    for name, title in (("prompt", "the server's prompt"), ("rendered", "the turn as rendered")):
        text = Text(f"{title:>{_INDENT}}  ")
        text.append(_end(details[name]["before"]), MASKED)
        text.append("▶", CUT)
        text.append(one_line(details[name]["after"][:_AFTER]), CUT)
        console.print(text, soft_wrap=True)
    line(console, f"what is trained with --prompt-mismatch, between {OPEN} and {CLOSE}:", HEADING)
    own = details["train"]
    for title, context in (("graft", details["graft"].removesuffix(own)), ("train", _before(own, details["rendered"]))):
        text = Text(f"{title:>{_INDENT}}  ")
        text.append(_end(context), MASKED)
        text.append(OPEN, HEADING)
        text.append(one_line(_short(own)), TRAINED)
        text.append(CLOSE, HEADING)
        console.print(text, soft_wrap=True)


def _end(text: str) -> str:
    return one_line(text[-_BEFORE:])[-_BEFORE:].rjust(_BEFORE)


def _before(own: str, rendered: Mapping[str, str]) -> str:
    """Return the rendered text before the turn's own text, its end nearest to where prompt and rendering part."""
    parting, text = len(rendered["before"]), rendered["before"] + rendered["after"]
    starts = [match.start() for match in re.finditer(re.escape(own[:_AFTER]), text)] if own else []
    return text[: min(starts, key=lambda start: abs(start - parting), default=0)]


def _short(text: str) -> str:
    return text if len(text) <= 2 * _AFTER else f"{text[:_AFTER]} … {text[-_AFTER:]}"
