"""Strings that remember where each of their characters came from.

    Tracked("<|im_start|>") + Tracked("hi", source) + Tracked("<|im_end|>")
    text  <|im_start|>hi<|im_end|>
    runs  (12, TEMPLATE) (2, source) (10, TEMPLATE)

    with u = Tracked("hi", source)
    u.ljust(4)             hi__     (2, source) (2, TEMPLATE)       blanks drawn as _
    u.replace("i", "ey")   hey      (1, source) (2, TEMPLATE)
    u.zfill(4)             00hi     (4, lost)

``Tracked`` is a ``str`` and gives the very text that ``str`` gives: every method that makes a string also carries the
runs. A method that cannot tell its result's characters apart marks the whole of it as lost (``origin.py``); none
returns text that seems to be the template's and is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, SupportsIndex

from maskprep.errors import RowError
from maskprep.template.strings.origin import TEMPLATE, lost
from maskprep.template.strings.runs import Runs, cut, deep_sources, joined, merge, runs_of


class Tracked(str):
    """A string whose every character knows its source. Immutable, equal and hashed as its text."""

    __slots__ = ("_runs",)
    _runs: Runs

    def __new__(cls, text: str = "", source: int | None = None) -> Self:
        """Make a string wholly from ``source``, or, without one, with the runs that ``text`` has."""
        return cls._make(text, runs_of(text) if source is None else ((len(text), source),) if text else ())

    @classmethod
    def _make(cls, text: str, runs: Runs) -> Self:
        new = str.__new__(cls, text)
        new._runs = runs
        return new

    @classmethod
    def of_runs(cls, text: str, runs: Iterable[tuple[int, int]]) -> Self:
        """Return the string ``text`` with these runs, which must tile it."""
        return cls._make(str(text), merge(runs))

    def __getnewargs__(self) -> tuple[str]:  # pickled as its text: provenance belongs to one render
        return (str.__str__(self),)

    # Making text from pieces

    def __str__(self) -> str:
        return self

    def __add__(self, other: object) -> Self:
        if not isinstance(other, str):
            return NotImplemented
        return self._make(str.__add__(self, other), joined(self._runs, runs_of(other)))

    def __radd__(self, other: object) -> Self:
        if not isinstance(other, str):
            return NotImplemented
        return self._make(str.__add__(other, self), joined(runs_of(other), self._runs))

    def __mul__(self, count: SupportsIndex) -> Self:
        text = str.__mul__(self, count)
        return self._make(text, merge(self._runs * (len(text) // len(self) if self else 0)))

    __rmul__ = __mul__

    def __mod__(self, values: Any) -> Self:
        return self._lossy(str.__mod__(self, values), values)

    def __rmod__(self, template: object) -> Self:
        if not isinstance(template, str):
            return NotImplemented
        return self._lossy(str.__mod__(template, self))

    def join(self, pieces: Iterable[str]) -> Self:
        pieces = list(pieces)
        runs: list[tuple[int, int]] = []
        for index, piece in enumerate(pieces):
            if index:
                runs.extend(self._runs)
            runs.extend(runs_of(piece))
        return self._make(str.join(self, pieces), merge(runs))

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> Self:
        text = str.replace(self, old, new, count)
        step = len(old)
        limit = int(count.__index__())
        limit = len(self) + 1 if limit < 0 else limit
        new_runs = runs_of(new)
        runs: list[tuple[int, int]] = []
        position = done = 0
        while done < limit:
            # An empty `old` matches before every character and at the end, as in str.replace.
            found = str.find(self, old, position) if step else (done if done <= len(self) else -1)
            if found < 0:
                break
            runs.extend(cut(self._runs, position, found))
            runs.extend(new_runs)
            position = found + step
            done += 1
        runs.extend(cut(self._runs, position, len(self)))
        return self._make(text, merge(runs))

    # Taking text apart

    def _slice(self, start: int, stop: int) -> Self:
        return self._make(str.__getitem__(self, slice(start, stop)), cut(self._runs, start, stop))

    def __getitem__(self, key: SupportsIndex | slice) -> Self:
        text = str.__getitem__(self, key)
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._make(text, cut(self._runs, start, max(start, stop)))
            each = [source for size, source in self._runs for _ in range(size)]
            return self._make(text, merge((1, source) for source in each[key]))
        index = key.__index__()
        index += len(self) if index < 0 else 0
        return self._make(text, cut(self._runs, index, index + 1))

    def __iter__(self) -> Iterator[Self]:
        position = 0
        for size, source in self._runs:
            for index in range(position, position + size):
                yield self._make(str.__getitem__(self, index), ((1, source),))
            position += size

    def lstrip(self, chars: str | None = None) -> Self:
        return self._slice(len(self) - len(str.lstrip(self, chars)), len(self))

    def rstrip(self, chars: str | None = None) -> Self:
        return self._slice(0, len(str.rstrip(self, chars)))

    def strip(self, chars: str | None = None) -> Self:
        return self.lstrip(chars).rstrip(chars)

    def removeprefix(self, prefix: str, /) -> Self:
        return self._slice(len(self) - len(str.removeprefix(self, prefix)), len(self))

    def removesuffix(self, suffix: str, /) -> Self:
        return self._slice(0, len(str.removesuffix(self, suffix)))

    def _pieces(self, texts: Iterable[str], gap: int | None) -> list[Self]:
        """Return the pieces with these texts, cut out in order: ``gap`` characters apart, or, for None, where found."""
        position = 0
        pieces: list[Self] = []
        for text in texts:
            start = str.find(self, text, position) if gap is None else position
            position = start + len(text)
            pieces.append(self._slice(start, position))
            position += gap or 0
        return pieces

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return [*self._pieces(str.split(self, sep, maxsplit), None if sep is None else len(sep))]

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        texts = str.rsplit(self, sep, maxsplit)
        if sep is not None:
            return [*self._pieces(texts, len(sep))]
        position = len(self)
        pieces: list[str] = []
        for text in reversed(texts):
            start = str.rfind(self, text, 0, position)
            pieces.append(self._slice(start, start + len(text)))
            position = start
        return pieces[::-1]

    def splitlines(self, keepends: bool = False) -> list[str]:  # noqa: FBT001, FBT002 - str's own signature
        whole = self._pieces(str.splitlines(self, keepends=True), 0)
        if keepends:
            return [*whole]
        bare = str.splitlines(self, keepends=False)
        return [line._slice(0, len(text)) for line, text in zip(whole, bare, strict=True)]

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        head, middle, tail = self._pieces(str.partition(self, sep), 0)
        return head, middle, tail

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        head, middle, tail = self._pieces(str.rpartition(self, sep), 0)
        return head, middle, tail

    # Changing characters one by one

    def _by_character(self, text: str, change: Callable[[str], str]) -> Self:
        """Return ``text`` with this string's runs: it is what ``change`` makes of the characters one by one."""
        if len(text) == len(self):
            return self._make(text, self._runs)
        sizes = [len(change(char)) for char in str.__iter__(self)]
        if sum(sizes) != len(text):
            return self._lossy(text)
        each = iter(sizes)
        return self._make(text, merge((next(each), source) for size, source in self._runs for _ in range(size)))

    def upper(self) -> Self:
        return self._by_character(str.upper(self), str.upper)

    def lower(self) -> Self:
        return self._by_character(str.lower(self), str.lower)

    def casefold(self) -> Self:
        return self._by_character(str.casefold(self), str.casefold)

    def swapcase(self) -> Self:
        return self._by_character(str.swapcase(self), str.swapcase)

    def capitalize(self) -> Self:
        return self._by_character(str.capitalize(self), str.lower)

    def title(self) -> Self:
        return self._by_character(str.title(self), str.lower)

    # Padding

    def _padded(self, text: str, left: int, fillchar: str) -> Self:
        """Return ``text`` with runs: this string, ``left`` characters of padding in front, and the rest behind."""
        fill = runs_of(fillchar)
        right = len(text) - len(self) - left
        return self._make(text, merge((*fill * left, *self._runs, *fill * right)))

    def ljust(self, width: SupportsIndex, fillchar: str = " ", /) -> Self:
        return self._padded(str.ljust(self, width, fillchar), 0, fillchar)

    def rjust(self, width: SupportsIndex, fillchar: str = " ", /) -> Self:
        text = str.rjust(self, width, fillchar)
        return self._padded(text, len(text) - len(self), fillchar)

    def center(self, width: SupportsIndex, fillchar: str = " ", /) -> Self:
        text = str.center(self, width, fillchar)
        # The odd blank stands on the left exactly where the width is odd, too (CPython, str.center).
        missing = len(text) - len(self)
        return self._padded(text, missing // 2 + (missing & len(text) & 1), fillchar)

    # What mixes characters

    def _lossy(self, text: str, *others: Any) -> Self:
        return self._make(text, ((len(text), lost(deep_sources((self, *others)))),) if text else ())

    def zfill(self, width: SupportsIndex, /) -> Self:
        return self._lossy(str.zfill(self, width))

    def expandtabs(self, tabsize: SupportsIndex = 8) -> Self:
        return self._lossy(str.expandtabs(self, tabsize))

    def translate(self, table: Any, /) -> Self:
        return self._lossy(str.translate(self, table), table)

    def __format__(self, spec: str) -> str:
        return self if not spec else self._lossy(str.__format__(self, spec))

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        raise RowError(
            "provenance-lost",
            f"the template encodes text to bytes ({encoding}, {errors}): nobody can tell any more whose text is whose",
        )

    # Python's own notation, for lists and mappings that a template prints

    def __repr__(self) -> str:
        text = str.__repr__(self)
        quote = text[0]
        escape = _escaped_with(quote)
        sizes = ((sum(len(escape(char)) for char in piece), source) for piece, source in self.pieces())
        return self._make(text, merge(((1, TEMPLATE), *sizes, (1, TEMPLATE))))

    # For us, not for templates

    def pieces(self) -> Iterator[tuple[str, int]]:
        """Yield the plain text of each run with its source."""
        position = 0
        for size, source in self._runs:
            yield str.__getitem__(self, slice(position, position + size)), source
            position += size


def _escaped_with(quote: str) -> Callable[[str], str]:
    """Return a function that writes one character as ``repr`` writes it between these quotes."""

    def escape(char: str) -> str:
        if char == quote:
            return "\\" + char
        return char if char in "\"'" else str.__repr__(char)[1:-1]

    return escape
