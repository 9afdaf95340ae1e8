"""Texts of a row as HTML, and what the filters of the tracked rendering make of texts."""

from __future__ import annotations

from typing import Any

from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.opaque import Markup
from maskprep.template.learnt.runtime import escaped
from maskprep.template.learnt.values import Joined, Own, Watched, own
from maskprep.template.strings.string import Tracked


def text_of(environment: Watching, value: Any) -> Any:
    """Return the text of a value, as one that has methods."""
    text = environment.to_text(value)
    return text.tracked() if isinstance(text, Joined) else text


def filtered(text: Watched, name: str, *args: Any) -> Own:
    """Return what the tracked rendering makes of a text with origins."""
    codes = "".join(f", {{{index}}}" for index in range(2, len(args) + 2))
    return own(text.watch, *text.watch.compute(f"filtered({{1}}, {{0}}{codes})", text, name, *args), Tracked)


def escape(environment: Watching, value: Any) -> Markup:
    """Return what the filter ``escape`` does: a text as HTML, unless it is that already."""
    if isinstance(value, Markup):
        return value
    if hasattr(value, "__html__"):
        return Markup(str.__str__(value))
    text = text_of(environment, value)
    if not isinstance(text, Watched):
        return Markup(escaped(text))
    return Markup(text.made("escaped({0})", kind=str) if text.kind is str else filtered(text, "escape"))
