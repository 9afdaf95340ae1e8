"""Rendered text with the origin of each character."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import numpy as np

from maskprep.arrays import Ints
from maskprep.policy import Part
from maskprep.template.strings.origin import has_notation, is_lost, message_of, part_of
from maskprep.template.strings.runs import Runs, runs_of


def count_visible(text: str) -> int:
    """Return how many characters of ``text`` are no white space."""
    return len("".join(text.split()))


class _Index:
    """An index of a text's runs, for a long text is searched for each turn: where they end, and whose they are."""

    __slots__ = ("ends", "first_lost", "of_message", "sources")

    def __init__(self, runs: Runs) -> None:
        self.ends = [*accumulate([size for size, _ in runs])]
        self.sources = [source for _, source in runs]
        self.of_message: defaultdict[int, list[int]] = defaultdict(list)
        for number, source in enumerate(self.sources):
            if source:
                self.of_message[message_of(source)].append(number)
        lost = [number for number, source in enumerate(self.sources) if source and is_lost(source)]
        self.first_lost = self.start(lost[0]) if lost else None

    def start(self, number: int) -> int:
        """Return where run ``number`` begins."""
        return self.ends[number - 1] if number else 0


class Rendered:
    """Text that a template rendered, and ``runs``: pairs ``(length in characters, source)`` that tile it."""

    __slots__ = ("_known", "_runs", "_text")
    __hash__ = None  # type: ignore[assignment]
    _known: _Index | None
    _text: str | None
    _runs: Runs | None

    def __init__(self, text: str, runs: Runs) -> None:
        self._known, self._text, self._runs = None, text, runs

    @property
    def text(self) -> str:
        """The text."""
        assert self._text is not None
        return self._text

    @property
    def runs(self) -> Runs:
        """Who wrote what of the text."""
        assert self._runs is not None
        return self._runs

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is the same text, of the same origins."""
        return isinstance(other, Rendered) and self.text == other.text and self.runs == other.runs

    @classmethod
    def of(cls, tracked: str) -> Rendered:
        """Take over a tracked string."""
        return cls(str.__str__(tracked), runs_of(tracked))

    @property
    def root(self) -> Rendered:
        """The rendering that this one is the beginning of."""
        return self

    @property
    def _index(self) -> _Index:
        if self._known is None:
            self._known = _Index(self.runs)
        return self._known

    def __len__(self) -> int:
        """Return the length in characters."""
        return len(self.text)

    def table(self) -> tuple[Ints, Ints]:
        """The end of each run, in characters, and its source: two arrays of int64."""
        index, size = self._index, len(self)
        ends = np.asarray(index.ends, np.int64)
        sources = np.asarray(index.sources, np.int64)
        if len(ends) and ends[-1] > size:
            last = int(np.searchsorted(ends, size, side="left"))
            ends, sources = np.append(ends[:last], size), sources[: last + 1]
        return ends, sources

    def between(self, start: int, stop: int) -> str:
        """Return the text of the stretch ``start:stop``."""
        return self.text[start:stop]

    def part(self, start: int, stop: int) -> Rendered:
        """Return the stretch ``start:stop``."""
        stop = min(stop, len(self))
        if stop <= start:
            return Rendered("", ())
        index, runs = self._index, self.root.runs
        first, last = bisect_right(index.ends, start), bisect_left(index.ends, stop)
        if first == last:
            cut: Runs = ((stop - start, index.sources[first]),)
        else:
            head, tail = index.ends[first] - start, stop - index.ends[last - 1]
            cut = ((head, index.sources[first]), *runs[first + 1 : last], (tail, index.sources[last]))
        return Rendered(self.between(start, stop), cut)

    def __add__(self, other: Rendered) -> Rendered:
        """Return this text followed by ``other``."""
        return Rendered.joined((self, other))

    @classmethod
    def joined(cls, parts: Iterable[Rendered]) -> Rendered:
        """Return the rendered texts ``parts`` joined into one."""
        parts = [part for part in parts if len(part)]
        runs: list[tuple[int, int]] = []
        for part in parts:
            following = part.runs
            if runs and runs[-1][1] == following[0][1]:
                size, source = runs.pop()
                following = ((size + following[0][0], source), *following[1:])
            runs += following
        return cls("".join(part.text for part in parts), tuple(runs))

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, source)`` of every run."""
        return self._overlapping(0, len(self))

    def _overlapping(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, source)`` of the runs that have characters in ``start:stop``."""
        if stop > start:
            yield from self._from(bisect_right(self._index.ends, start), stop)

    def _from(self, number: int, before: int) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, source)`` of the runs from ``number`` on that begin ahead of ``before``."""
        index, size = self._index, len(self)
        low = index.start(number) if number < len(index.ends) else size
        before = min(before, size)
        while low < before:
            high = index.ends[number]
            yield low, min(high, size), index.sources[number]
            low, number = high, number + 1

    def _own(self, message: int) -> list[int]:
        """Return the numbers of the runs of ``message``."""
        index = self._index
        numbers = index.of_message.get(message, [])
        if not numbers or index.start(numbers[-1]) < len(self):
            return numbers
        return numbers[: bisect_left(numbers, len(self), key=index.start)]

    def first_source(self, start: int) -> tuple[int, int, int] | None:
        """Return the first run with characters behind ``start`` that is not the template's."""
        return next((place for place in self._overlapping(start, len(self)) if place[2]), None)

    def extent(self, message: int) -> tuple[int, int] | None:
        """Return the start of the first and the end of the last character of ``message``, None without any."""
        own = self._own(message)
        return (self._index.start(own[0]), min(self._index.ends[own[-1]], len(self))) if own else None

    def extent_like(self, message: int, amounts: Mapping[int, int]) -> tuple[int, int, Counter[int]] | None:
        """Return the extent of at most ``amounts`` characters of ``message``, and how many of each source were found.

        Further characters of the message do not count, nor those behind text of another message: a template may repeat
        a text, such as the name of the function in front of a tool's answer.
        """
        own: list[tuple[int, int]] = []
        used: Counter[int] = Counter()
        for start, stop, source in self._from(next(iter(self._own(message)), len(self._index.ends)), len(self)):
            if not source or message_of(source) != message:
                if source and own:
                    break
                continue
            amount = count_visible(self.between(start, stop))
            if used[source] + amount > amounts.get(source, 0):
                break
            used[source] += amount
            own.append((start, stop))
        return (own[0][0], own[-1][1], used) if own else None

    def amounts(self, message: int) -> Counter[int]:
        """Return the number of characters of ``message``, by source, but for white space: that may be trimmed."""
        amounts: Counter[int] = Counter()
        for number in self._own(message):
            start, stop = self._index.start(number), min(self._index.ends[number], len(self))
            amounts[self._index.sources[number]] += count_visible(self.between(start, stop))
        return amounts

    def end_of_others(self, message: int, before: int) -> int:
        """Return the end of the last character ahead of ``before`` that is another message's, 0 without one."""
        index = self._index
        last = min(bisect_left(index.ends, min(before, len(self))), len(index.ends) - 1)
        for number in range(last, -1, -1):
            if _other(index.sources[number], message) and index.start(number) < before:
                return min(index.ends[number], before, len(self))
        return 0

    def start_of_others(self, message: int, after: int) -> int:
        """Return where, from ``after`` on, the first character stands that is another message's."""
        others = (max(low, after) for low, _, source in self._overlapping(after, len(self)) if _other(source, message))
        return next(others, len(self))

    def sources(self, start: int, stop: int) -> Iterable[int]:
        """Return the sources that occur in the stretch ``start:stop``, the template's included."""
        return {source for _, _, source in self._overlapping(start, stop)}

    def prints(self, part: Part) -> bool:
        """Tell whether the text holds a list or mapping of this part in Python's notation."""
        return any(has_notation(source) and part_of(source) is part for _, source in self.runs)

    @property
    def lost(self) -> bool:
        """Whether the text holds characters of which nobody knows whose they are."""
        first = self._index.first_lost
        return first is not None and first < len(self)

    def starts_with(self, other: Rendered) -> bool:
        """Tell whether the text begins with that of ``other``, whoever wrote it."""
        if other.root is self.root:
            return len(other) <= len(self)
        return self.text.startswith(other.text)

    def starts_alike(self, other: Rendered, length: int) -> bool:
        """Tell whether this text and ``other`` begin with the same ``length`` characters, of the same origins."""
        if other.root is self.root:
            return length <= len(self) and length <= len(other)
        alike = length <= min(len(self), len(other)) and self.text.startswith(other.between(0, length))
        return alike and self.part(0, length).runs == other.part(0, length).runs

    def continues(self, position: int, other: Rendered) -> bool:
        """Tell whether this text goes on at ``position`` with ``other``, of the same origins."""
        if not self.root.text.startswith(other.text, position) or position + len(other) > len(self):
            return False
        return self.part(position, position + len(other)).runs == other.runs


class Beginning(Rendered):
    """The first ``length`` characters of another rendering, which it shares: there is one for each turn."""

    __slots__ = ("_length", "_whole")
    _length: int
    _whole: Rendered

    def __init__(self, whole: Rendered, length: int) -> None:
        """Share the first ``length`` characters of ``whole``."""
        self._whole, self._length = whole.root, length

    @property
    def root(self) -> Rendered:
        return self._whole

    @property
    def _index(self) -> _Index:
        return self._whole._index

    @property
    def text(self) -> str:
        return self._whole.text[: self._length]

    @property
    def runs(self) -> Runs:
        return self.part(0, self._length).runs

    def __len__(self) -> int:
        return self._length

    def between(self, start: int, stop: int) -> str:
        return self._whole.text[start : min(stop, self._length)]


def _other(source: int, message: int) -> bool:
    return bool(source) and message_of(source) != message
