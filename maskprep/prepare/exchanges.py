"""A conversation in units that may be left out without breaking it.

head        system and developer messages at the beginning: never left out
exchange    what a user asks, and everything up to the next question
round       within an exchange: an assistant's message, the tool results that answer its calls, and what else stands
            before the next one: a system message in the middle of an exchange breaks no exchange in two
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskprep.conversation import Message


@dataclass(frozen=True, slots=True)
class Exchange:
    """The indices of the messages of one exchange: what was ``asked``, and the ``rounds`` of the answer."""

    asked: tuple[int, ...]
    rounds: tuple[tuple[int, ...], ...]

    @property
    def messages(self) -> tuple[int, ...]:
        """All of them, in order."""
        return self.asked + tuple(index for part in self.rounds for index in part)


def exchanges(messages: Sequence[Message]) -> tuple[tuple[int, ...], list[Exchange]]:
    """Return the indices of the head and the exchanges that follow it, in order."""
    roles = [message.role for message in messages]
    size = next((index for index, role in enumerate(roles) if role not in {"system", "developer"}), len(roles))
    found: list[Exchange] = []
    asked: list[int] = []
    rounds: list[list[int]] = []
    waiting: list[int] = []  # system messages behind an answer: of this exchange if it goes on, else of the next
    for index in range(size, len(roles)):
        role = roles[index]
        if role in {"assistant", "tool"} and rounds:
            rounds[-1] += waiting
            waiting = []
        if role == "assistant":
            rounds.append([index])
        elif role == "tool" and rounds:
            rounds[-1].append(index)
        elif role in {"system", "developer"} and rounds:
            waiting.append(index)
        else:
            if rounds:
                found.append(Exchange(tuple(asked), tuple(map(tuple, rounds))))
                asked, rounds, waiting = waiting, [], []
            asked.append(index)
    if asked or rounds:
        found.append(Exchange(tuple(asked), tuple(map(tuple, rounds))))
    if waiting:
        found.append(Exchange(tuple(waiting), ()))
    return tuple(range(size)), found
