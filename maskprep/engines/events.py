"""What workers tell the driver, and what a crew of them can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from maskprep.engines.job import Cause
from maskprep.errors import MaskprepError


@dataclass(frozen=True, slots=True)
class Alive:
    """The worker runs; its set-up begins."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker is set up."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The work called its heartbeat."""

    value: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """The work returned."""

    result: Any


@dataclass(frozen=True, slots=True)
class Faulted:
    """The set-up or the work failed. After any cause but ``RAISED`` the worker is of no more use.

    ``error``: what ends the run, as it was raised.
    """

    cause: Cause
    detail: str
    error: MaskprepError | None = None


Event: TypeAlias = Alive | Ready | Beat | Finished | Faulted


class Crew(Protocol):
    """Workers by number. Nothing here waits for a worker, but ``events`` and ``close``."""

    limit: int

    def hire(self, number: int) -> None:
        """Start a worker and have it set up."""

    def give(self, number: int, job: Any, *, watched: bool) -> None:
        """Give an idle worker a job. ``watched``: no heartbeat is to be left out, as far as that can be."""

    def dismiss(self, number: int) -> None:
        """End a worker at once, whatever it does; nothing more is heard of it."""

    def events(self, timeout: float) -> Sequence[tuple[int, Event]]:
        """Return what workers told, as soon as any did, or nothing after ``timeout`` seconds."""

    def close(self) -> None:
        """End the workers, all of them idle, in peace."""

    def kill(self) -> None:
        """End all workers at once. Called from a signal handler, too."""
