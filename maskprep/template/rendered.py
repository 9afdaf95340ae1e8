"""Rendered text with the origin of each character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from maskprep.conversation import Part
from maskprep.template.runs import Runs, cut, merge, runs_of
from maskprep.template.source import has_notation, is_lost, message_of, part_of
from maskprep.template.tracked import Tracked


def solid(text: str) -> int:
    """Return how many characters of ``text`` are no white space."""
    return len("".join(text.split()))


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text that a template rendered, and ``runs``: pairs ``(length in characters, source)`` that tile it."""

    text: str
    runs: Runs

    @classmethod
    def of(cls, tracked: str) -> Rendered:
        """Take over a tracked string."""
        return cls("".join(piece for piece, _ in Tracked(tracked).pieces()), runs_of(tracked))

    def __len__(self) -> int:
        """Return the length in characters."""
        return len(self.text)

    def part(self, start: int, stop: int) -> Rendered:
        """Return the stretch ``start:stop``."""
        return Rendered(self.text[start:stop], cut(self.runs, start, min(stop, len(self.text))))

    def __add__(self, other: Rendered) -> Rendered:
        """Return this text followed by ``other``."""
        return Rendered(self.text + other.text, merge(self.runs + other.runs))

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield ``(start, stop, source)`` of every run."""
        position = 0
        for size, source in self.runs:
            yield position, position + size, source
            position += size

    def extent(self, message: int) -> tuple[int, int] | None:
        """Return the start of the first and the end of the last character of ``message``, None without any."""
        own = [(start, stop) for start, stop, source in self.places() if source and message_of(source) == message]
        return (own[0][0], own[-1][1]) if own else None

    def extent_like(self, message: int, amounts: Mapping[int, int]) -> tuple[int, int, Counter[int]] | None:
        """Return the same for text of at most these amounts, and how much of it was found.

        What goes beyond does not count, nor what stands behind text of another message: a template may repeat a text,
        as the name of the function that a tool's answer belongs to.
        """
        own: list[tuple[int, int]] = []
        used: Counter[int] = Counter()
        for start, stop, source in self.places():
            if not source or message_of(source) != message:
                if source and own:
                    break
                continue
            amount = solid(self.text[start:stop])
            if used[source] + amount > amounts.get(source, 0):
                break
            used[source] += amount
            own.append((start, stop))
        return (own[0][0], own[-1][1], used) if own else None

    def amounts(self, message: int) -> Counter[int]:
        """Return the number of characters of ``message``, by source, but for white space: that may be trimmed."""
        amounts: Counter[int] = Counter()
        for start, stop, source in self.places():
            if source and message_of(source) == message:
                amounts[source] += solid(self.text[start:stop])
        return amounts

    def end_of_others(self, message: int, before: int) -> int:
        """Return the end of the last character ahead of ``before`` that is another message's, 0 without one."""
        ends = (
            min(stop, before)
            for start, stop, source in self.places()
            if start < before and source and message_of(source) != message
        )
        return max(ends, default=0)

    def start_of_others(self, message: int, after: int) -> int:
        """Return where, from ``after`` on, the first character stands that is another message's."""
        starts = (
            max(start, after)
            for start, stop, source in self.places()
            if stop > after and source and message_of(source) != message
        )
        return min(starts, default=len(self.text))

    def sources(self, start: int, stop: int) -> Iterable[int]:
        """Return the sources that occur in the stretch ``start:stop``, the template's included."""
        return {source for low, high, source in self.places() if low < stop and high > start}

    def prints(self, part: Part) -> bool:
        """Tell whether a list or mapping of this part stands in it in Python's notation."""
        return any(has_notation(source) and part_of(source) is part for _, source in self.runs)

    @property
    def lost(self) -> bool:
        """Whether there is text in it whose characters cannot be told apart."""
        return any(is_lost(source) for _, source in self.runs)
