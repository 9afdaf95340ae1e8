"""How far a command has come: told by whoever works, shown by whoever wants to see it."""

from __future__ import annotations


class Progress:
    """Is told how far a command has come; this one shows it to nobody."""

    def start(self, step: str, total: int | None) -> None:
        """Begin a step of the command, ``""`` if it has but one; None where nobody knows how much there is to do."""

    def advance(self, amount: int, /) -> None:
        """Note that ``amount`` more of the step is done."""

    def count(self, **counts: int) -> None:
        """Note what has been counted so far, by the names of what is counted."""

    def notice(self, text: str) -> None:
        """Note what the user should know before it is done, such as how long it will take."""

    def stopping(self, chunks: int) -> None:
        """Note that the command ends when so many chunks are done that were begun."""
