"""Jobs and their outcomes: what an engine is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar


class Job(Protocol):
    """A piece of work, picklable and small: it says where the work is. ``str`` names it in messages."""

    def divided(self, at: Any) -> tuple[Self, ...]:
        """Return smaller jobs that together are the same work, in order; none for a single row.

        ``at`` is the last heartbeat before the job failed: the guilty row is probably at hand there. It may have come
        late. None: nothing is known, so that halves are best. These parts are only *tried*, to find the rows that no
        worker survives: their results are dropped.
        """

    def without(self, failed: tuple[Self, ...]) -> Self | None:
        """Return this job less the indivisible jobs that failed; None: nothing is left.

        ``failed`` is in the order of finding, which is chance: the result may depend on which they are, not on that.
        """


J = TypeVar("J", bound=Job)
R = TypeVar("R")

# Called by the work from time to time (each row, say) with a small picklable value. Values may be left out on the way:
# give totals, not increments.
Heartbeat: TypeAlias = Callable[[Any], None]
Work: TypeAlias = Callable[[J, Heartbeat], R]
# Picklable; called once in each worker.
Setup: TypeAlias = Callable[[], Work[J, R]]
# Gets a job (one of those pulled, or a part of it) and its last heartbeat, in the driver.
Progress: TypeAlias = Callable[[J, Any], None]
# Gets the number of jobs that are still being finished after the first Ctrl-C, in the driver.
Stopping: TypeAlias = Callable[[int], None]


class Cause(StrEnum):
    """Why a job failed."""

    KILLED = "killed"
    MEMORY = "out-of-memory"
    HUNG = "hung"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class Failed(Generic[J]):
    """An indivisible job that failed twice, each time alone on its worker. ``detail``: a signal, a traceback."""

    job: J
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[J, R]):
    """What became of a job that was pulled: exactly one outcome for each.

    ``result`` is the work's, on the job less those ``failed`` (in any order); None where nothing was left to do.
    """

    job: J
    result: R | None
    failed: tuple[Failed[J], ...] = ()


class Engine(Protocol):
    """Does jobs. How, is its own affair: the outcomes are the same."""

    def run(
        self,
        setup: Setup[J, R],
        jobs: Iterable[J],
        *,
        window: int,
        progress: Progress[J] | None = None,
        stopping: Stopping | None = None,
    ) -> Iterator[Outcome[J, R]]:
        """Yield the outcome of each job, in order of completion.

        ``jobs`` is lazy and may be endless: never more than ``window`` jobs are pulled whose outcome was not yielded.

        A worker that is killed, runs out of memory or hangs costs the row that it was at, at most: its job is done
        again, then divided until the guilty rows are known, then done whole without them.

        The first Ctrl-C ends the run when the jobs in flight are done and yielded, with KeyboardInterrupt; the second
        at once. Close the iterator (``contextlib.closing``) if it is not used up.

        Raises:
            MaskprepError: what the work or its set-up raised, as it was.
            BuildError: workers do not start; or a job cannot be done whole though each of its rows can.
        """


def ignore(*_: object) -> None:
    """Do nothing: for callbacks that nobody asked for."""
