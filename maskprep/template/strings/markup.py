"""The tracked twin of ``markupsafe.Markup``, which the filters ``safe`` and ``escape`` make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self, SupportsIndex

from maskprep.template.strings.string import Tracked


class TrackedMarkup(Tracked):
    """The tracked form of ``markupsafe.Markup``: text added to it is escaped for HTML, as Markup does."""

    __slots__ = ()

    def __html__(self) -> Self:
        return self

    def __str__(self) -> str:
        return Tracked._make(str.__str__(self), self._runs)

    def __add__(self, other: object) -> Self:
        return super().__add__(escape_html(other)) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: object) -> Self:
        return super().__radd__(escape_html(other)) if isinstance(other, str) else NotImplemented

    def join(self, pieces: Iterable[str]) -> Self:
        return super().join([escape_html(piece) for piece in pieces])

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> Self:
        return super().replace(old, escape_html(new), count)


def escape_html(text: str) -> TrackedMarkup:
    """Escape text for HTML as ``markupsafe.escape`` does, unless it is markup already."""
    if not hasattr(text, "__html__"):
        text = Tracked(text)
        for char, entity in (("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ('"', "&#34;")):
            if char in text:
                # Each run apart, so that the entity belongs to whoever wrote the character.
                text = Tracked().join(Tracked(piece.replace(char, entity), source) for piece, source in text.pieces())
    return TrackedMarkup(text)
