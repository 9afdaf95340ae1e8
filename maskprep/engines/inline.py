"""A pool whose one worker is this very process: nothing to start, nothing to protect it."""

from __future__ import annotations

from typing import Any

from maskprep.engines.events import Event, Faulted, HeartbeatSent, Ready
from maskprep.engines.job import Progress, Setup, Work
from maskprep.engines.worker import attempt


class InlinePool:
    """A ``Pool`` that does its job when it is asked for events."""

    limit = 1

    def __init__(self, setup: Setup[Any, Any], progress: Progress[Any]) -> None:
        self._setup, self._progress = setup, progress
        self._work: Work[Any, Any] | None = None
        self._number = 0
        self._job: Any = None

    def start(self, number: int) -> None:
        """Take the worker's number; it is set up by ``events``."""
        self._number, self._job = number, None

    def give(self, number: int, job: Any, *, every_heartbeat: bool) -> None:  # noqa: ARG002 - every heartbeat is heard here
        """Take the job that ``events`` will do."""
        self._job = job

    def stop(self, number: int) -> None:
        """Do nothing: the worker is this process, which goes on."""

    def events(self, timeout: float) -> list[tuple[int, Event]]:  # noqa: ARG002 - there is nobody to wait for
        """Set up, or do the job that was given, calling ``progress`` meanwhile; return what came of it."""
        return [(self._number, event) for event in self._act()]

    def _act(self) -> list[Event]:
        job, self._job = self._job, None
        if job is None:
            return [self._set_up()]
        work, heartbeats = self._work, list[Any]()
        assert work is not None

        def heartbeat(value: Any) -> None:
            heartbeats[:] = [value]
            self._progress(job, value)

        event = attempt(lambda: work(job, heartbeat))
        return [*map(HeartbeatSent, heartbeats), event] if isinstance(event, Faulted) else [event]

    def _set_up(self) -> Event:
        if self._work is None:
            event = attempt(self._setup)
            if isinstance(event, Faulted):
                return event
            self._work = event.result
        return Ready()

    def close(self) -> None:
        """Do nothing: there is no process to end."""

    def kill(self) -> None:
        """Do nothing: KeyboardInterrupt is what ends it."""
