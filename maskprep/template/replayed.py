"""Renderings that were replayed: pieces of text, each of one source, put together when somebody asks.

texts        <user>  Hi  <end><bot>  Yo  <end>
sources_of   0       32  0           48  0
"""

from __future__ import annotations

from collections.abc import Iterable

from maskprep.policy import Part
from maskprep.template.rendered import Beginning, Rendered
from maskprep.template.strings.origin import NOTATION, is_lost, message_of
from maskprep.template.strings.runs import Runs, merge

_Owned = tuple[int, int, list[tuple[str, int]], int, int]
"""Where the texts of a message begin and end, which they are, and where those of others end before and begin behind."""


def _owned(texts: list[str], sources: list[int]) -> dict[int, _Owned | None]:
    """Return the texts of each message, None for those between which others stand, or that are not known apart."""
    found: dict[int, _Owned | None] = {}
    position = edge = 0
    latest = first = last = 0
    own: list[tuple[str, int]] = []
    for text, source in zip(texts, sources, strict=True):
        start, position = position, position + len(text)
        if not source or not text:
            continue
        owner = message_of(source) + 2
        if owner != latest:
            if latest:
                found[latest - 2] = None if latest - 2 in found else (first, last, own, edge, start)
                edge = last
            latest, first, own = owner, start, []
        own.append((text, source))
        last = position
    if latest:
        found[latest - 2] = None if latest - 2 in found else (first, last, own, edge, position)
    return found


class Replayed(Rendered):
    """A rendering as it was replayed: ``texts``, and the source of each; put together when it is asked for."""

    __slots__ = ("_owned", "sources_of", "texts")
    texts: list[str]
    sources_of: list[int]
    _owned: dict[int, _Owned | None] | None

    def __init__(self, texts: list[str], sources: list[int]) -> None:
        """Keep the texts, some of which may be empty, and their sources."""
        self.texts, self.sources_of = texts, sources
        self._known = self._text = self._runs = self._owned = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = "".join(self.texts)
        return self._text

    @property
    def runs(self) -> Runs:
        if self._runs is None:
            self._runs = merge(zip(map(len, self.texts), self.sources_of, strict=True))
        return self._runs

    def __len__(self) -> int:
        return sum(map(len, self.texts)) if self._text is None else len(self._text)

    def own_pieces(self, message: int) -> _Owned | None:
        """Return the pieces of text of one message where they stand together, None where they don't or are lost."""
        if self._owned is None:
            self._owned = _owned(self.texts, self.sources_of)
        return self._owned.get(message)

    def sources(self, start: int, stop: int) -> Iterable[int]:
        if start == 0 and stop >= len(self):
            return {source for text, source in zip(self.texts, self.sources_of, strict=True) if text}
        return Rendered.sources(self, start, stop)

    def prints(self, part: Part) -> bool:
        return max(self.sources_of, default=0) >= NOTATION and Rendered.prints(self, part)

    @property
    def lost(self) -> bool:
        return any(map(is_lost, self.sources_of)) and bool(Rendered.lost.__get__(self))

    def within(self, whole: Rendered) -> Rendered:
        """Return the same as the beginning of ``whole``, which it shares, if it is that; else itself."""
        if not isinstance(whole, Replayed) or not self.texts:
            return self
        last = len(self.texts) - 1
        if self.texts[:last] != whole.texts[:last] or self.sources_of[:last] != whole.sources_of[:last]:
            return self
        if len(whole.texts) <= last or self.sources_of[last] or whole.sources_of[last]:
            return self
        return Beginning(whole, len(self)) if whole.texts[last].startswith(self.texts[last]) else self
