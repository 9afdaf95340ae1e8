"""One worker that is this very process: nothing to start, nothing to protect it."""

from __future__ import annotations

from typing import Any

from maskprep.engines.events import Beat, Event, Faulted, Ready
from maskprep.engines.job import Progress, Setup, Work
from maskprep.engines.worker import attempt


class InlineCrew:
    """Does a job when asked for events; see ``Crew``."""

    limit = 1

    def __init__(self, setup: Setup[Any, Any], progress: Progress[Any]) -> None:
        """Set nothing up yet."""
        self._setup, self._progress = setup, progress
        self._work: Work[Any, Any] | None = None
        self._number = 0
        self._job: Any = None

    def hire(self, number: int) -> None:
        """Take a number."""
        self._number, self._job = number, None

    def give(self, number: int, job: Any, *, watched: bool) -> None:  # noqa: ARG002 - every heartbeat is heard here
        """Take a job."""
        self._job = job

    def dismiss(self, number: int) -> None:
        """Do nothing: the worker stays what it is."""

    def events(self, timeout: float) -> list[tuple[int, Event]]:  # noqa: ARG002 - there is nobody to wait for
        """Do what was given; progress is told meanwhile."""
        return [(self._number, event) for event in self._act()]

    def _act(self) -> list[Event]:
        job, self._job = self._job, None
        if job is None:
            return [self._set_up()]
        work, beats = self._work, list[Any]()
        assert work is not None

        def beat(value: Any) -> None:
            beats[:] = [value]
            self._progress(job, value)

        event = attempt(lambda: work(job, beat))
        return [*map(Beat, beats), event] if isinstance(event, Faulted) else [event]

    def _set_up(self) -> Event:
        if self._work is None:
            event = attempt(self._setup)
            if isinstance(event, Faulted):
                return event
            self._work = event.result
        return Ready()

    def close(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing: KeyboardInterrupt is what ends it."""
