"""Documents matched to the source rows that they were made of, by their text alone.

source row   the first 12 characters of each message, without white space, are its keys
document     its text without white space: each key that stands in it is a vote for the rows that have it
verified     of the rows with most votes, the one whose messages stand in the document, in order, and most of them
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from maskprep.conversation import Conversation, Message

_KEY = 12  # characters
_COMMON = 200  # rows that share a key, from which on it tells nothing
_TRIED = 8  # rows that are verified for a document
_TWO = 2  # messages that say something and stand in the document: one alone may be a greeting


def squeezed(text: str) -> str:
    """Return a text without its white space, which templates trim and add."""
    return "".join(text.split())


def texts_of(message: Message) -> list[str]:
    """Return the texts that a message says, its reasoning first, without white space."""
    found = [reasoning_of(message), message.content]
    return [short for text in found if (short := squeezed(text))]


def reasoning_of(message: Message) -> str:
    """Return the reasoning of a message, an empty text where it has none."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        value = message.fields.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


@dataclass(frozen=True, slots=True)
class Held:
    """How much of a source row a document holds: messages found in order, and messages that say something."""

    found: int
    of: int

    @property
    def enough(self) -> bool:
        """Whether the document may have been made of the row: its end may have been cut off."""
        return self.found >= max(1, min(_TWO, self.of))


@dataclass(slots=True)
class RowIndex:
    """The source rows by the beginnings of their messages. Rows are known by their numbers, in order from 0."""

    by_key: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    short: list[int] = field(default_factory=list)
    rows: int = 0

    def add(self, conversation: Conversation) -> None:
        """Add the next row."""
        keys = {text[:_KEY] for message in conversation.messages for text in texts_of(message) if len(text) >= _KEY}
        for key in keys:
            known = self.by_key[key]
            if len(known) <= _COMMON:
                known.append(self.rows)
        if not keys and len(self.short) <= _COMMON:
            self.short.append(self.rows)
        self.rows += 1

    def skip(self) -> None:
        """Count a row that cannot be read."""
        self.rows += 1

    def candidates(self, text: str) -> list[int]:
        """Return the rows that a document of this squeezed text may have been made of, the likeliest first."""
        votes = Counter[int]()
        for key in {text[at : at + _KEY] for at in range(len(text) - _KEY + 1)} & self.by_key.keys():
            known = self.by_key[key]
            if len(known) <= _COMMON:
                for row in known:
                    votes[row] += 1
        ranked = [row for row, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0]))]
        return ranked[:_TRIED] or self.short


def held(text: str, conversation: Conversation) -> Held:
    """Return how many messages of a row stand, in order, in the squeezed text of a document.

    A reasoning that is not there is no message that is not there: templates drop it.
    """
    at = found = said = 0
    for message in conversation.messages:
        own = squeezed(message.content)
        if not own:
            continue
        said += 1
        place = text.find(own, at)
        if place < 0 and (cut := text.find(own[:_KEY], at)) >= 0 and own.startswith(text[cut:]):
            place = cut  # the end of the document is cut off within it
        if place >= 0:
            at, found = min(place + len(own), len(text)), found + 1
    return Held(found, said)


def best(text: str, rows: Iterable[tuple[int, Conversation]], used: Sequence[int]) -> int | None:
    """Return the row that a document was made of, None where it is none of them.

    Args:
        text: the squeezed text of the document.
        rows: those that it may have been made of.
        used: how many documents each of them has been found for: equal rows share theirs out.
    """
    found: list[tuple[tuple[int, int, int, int], int]] = []
    for place, (row, conversation) in enumerate(rows):
        told = held(text, conversation)
        if told.enough or (told.of == 0 and place == 0):
            found.append(((-told.found, told.of - told.found, used[place], place), row))
    return min(found)[1] if found else None
