"""The events that workers send to the driver, and what a pool of workers can do."""

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
class HeartbeatSent:
    """The work called its heartbeat, with this value."""

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


Event: TypeAlias = Alive | Ready | HeartbeatSent | Finished | Faulted


class Pool(Protocol):
    """Workers by number, ``limit`` of them at most. Nothing here waits for a worker, but ``events`` and ``close``."""

    limit: int

    def start(self, number: int) -> None:
        """Start a worker and have it set up: events say what becomes of it."""

    def give(self, number: int, job: Any, *, every_heartbeat: bool) -> None:
        """Give an idle worker a job. ``every_heartbeat``: none is to be left out, as far as that can be."""

    def stop(self, number: int) -> None:
        """End a worker at once, whatever it does; no event of it comes any more."""

    def events(self, timeout: float) -> Sequence[tuple[int, Event]]:
        """Return what workers sent, as soon as any did, or nothing after ``timeout`` seconds."""

    def close(self) -> None:
        """End the workers, all of them idle, in peace."""

    def kill(self) -> None:
        """End all workers at once. Called from a signal handler, too."""
