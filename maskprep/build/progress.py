"""How far a build has come, told to whoever wants to know."""

from __future__ import annotations

from typing import Protocol

from maskprep.build.worker import Counts


class Progress(Protocol):
    """Is told how far a build has come."""

    def start(self, total_bytes: int | None) -> None:
        """Begin; ``total_bytes`` is the size of all sources as they lie on disk, None where it is not known."""

    def read(self, count: int) -> None:
        """Note that ``count`` more bytes were read."""

    def rows(self, counts: Counts) -> None:
        """Note the counts so far."""

    def stopping(self, chunks: int) -> None:
        """Note that the build ends when so many chunks are done that were begun."""


class Silent:
    """Tells nobody."""

    def start(self, total_bytes: int | None) -> None:
        """Begin."""

    def read(self, count: int) -> None:
        """Note nothing."""

    def rows(self, counts: Counts) -> None:
        """Note nothing."""

    def stopping(self, chunks: int) -> None:
        """Note nothing."""
