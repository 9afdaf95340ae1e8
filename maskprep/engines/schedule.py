"""Which job is next: the window, a second try, and the search for the rows that no worker survives. Pure bookkeeping.

A job that failed twice is searched. Its parts are tried, the parts of those that fail, down to indivisible ones; an
indivisible one is condemned when it failed twice. Then the job is done whole, without them: its result depends on which
rows are guilty, not on how they were found, nor on a worker that something else killed.

A job of eight rows, of which row 5 kills every worker that meets it (x), with one worker and no heartbeats:

    01234567 x   01234567 x   its second try: it is searched
    0123 ok      4567 x       halves are tried once; the guilty half is halved
    45 x         4 ok         and again
    5 x          5 x          indivisible, twice: condemned
    67 ok                     the other half of 4567
    01234_67 ok               the result
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic

from maskprep.engines.job import Cause, Failed, J, Outcome, R
from maskprep.errors import BuildError

_ROUNDS = 3  # searches of one job: things other than its rows may kill workers, but not so often
_MOST_FAILED = 100  # rows of one job: beyond, it is not the rows


@dataclass(slots=True, eq=False)
class Whole(Generic[J]):
    """A job that was pulled and whose outcome is not known."""

    job: J
    failed: list[Failed[J]] = field(default_factory=list)
    searching: int = 0  # parts whose end is open
    rounds: int = 0


@dataclass(slots=True, eq=False)
class Task(Generic[J]):
    """One thing for one worker to do: a job that was pulled, less what failed (not ``part``), or a part of it."""

    job: J
    whole: Whole[J]
    part: bool = False
    tries: int = 0  # that failed

    @property
    def every_heartbeat(self) -> bool:
        """Whether each heartbeat counts: it may be the last one."""
        return self.part or self.tries > 0


class Schedule(Generic[J, R]):
    """Gives out tasks and takes back what became of them.

    Args:
        jobs: pulled one by one, when nothing else is waiting.
        window: at most so many jobs are pulled whose outcome was not taken.
    """

    def __init__(self, jobs: Iterable[J], window: int) -> None:
        self._jobs = iter(jobs)
        self._window = max(window, 1)
        self._open = 0
        self._waiting: deque[Task[J]] = deque()

    def next(self) -> Task[J] | None:
        """Return what to do next; None: nothing, as long as nothing else ends."""
        if self._waiting:
            return self._waiting.popleft()
        if self._open >= self._window:
            return None
        for job in self._jobs:
            self._open += 1
            return Task(job, Whole(job))
        return None

    def put_back(self, task: Task[J]) -> None:
        """Take back a task that no worker began."""
        self._waiting.appendleft(task)

    def finished(self, task: Task[J], result: R) -> Outcome[J, R] | None:
        """Note the result of a task; return the outcome of its job, if that is known now."""
        if task.part:
            return self._searched(task.whole)
        self._open -= 1
        return Outcome(task.whole.job, result, tuple(task.whole.failed))

    def failed(self, task: Task[J], cause: Cause, detail: str, at: Any) -> Outcome[J, R] | None:
        """Note that a task failed after the heartbeat ``at``; return the outcome of its job, if that is known now.

        Raises:
            BuildError: what fails is not a matter of single rows.
        """
        task.tries += 1
        # A part is not tried again before it is divided: if it is innocent, then so are its own parts. And it is
        # halved, whatever its heartbeat: one that comes late over and over would make the search go row by row.
        parts = task.job.divided(None if task.part else at) if task.part or task.tries > 1 else ()
        if not parts and task.tries == 1:
            self._waiting.appendleft(task)
            return None
        whole = task.whole
        if parts:
            if not task.part:
                whole.rounds += 1
                if whole.rounds > _ROUNDS:
                    raise _unfit(whole, cause, detail)
            whole.searching += len(parts)
            self._waiting.extendleft(Task(part, whole, part=True) for part in reversed(parts))
        else:
            whole.failed.append(Failed(task.job, cause, detail))
            if len(whole.failed) > _MOST_FAILED:
                raise _too_many(whole)
            if not task.part:
                return self._again(whole)
        return self._searched(whole) if task.part else None

    def _searched(self, whole: Whole[J]) -> Outcome[J, R] | None:
        """Note that the end of a part is known; after the last one do the job again."""
        whole.searching -= 1
        return None if whole.searching else self._again(whole)

    def _again(self, whole: Whole[J]) -> Outcome[J, R] | None:
        rest = whole.job.without(tuple(failed.job for failed in whole.failed)) if whole.failed else whole.job
        if rest is not None:
            self._waiting.appendleft(Task(rest, whole))
            return None
        self._open -= 1
        return Outcome(whole.job, None, tuple(whole.failed))


def _unfit(whole: Whole[Any], cause: Cause, detail: str) -> BuildError:
    message = f"{whole.job} fails as a whole ({cause}: {_last(detail)}), though its rows can be done one by one"
    hint = "out of memory: allow workers more, or make the pieces of the input smaller; otherwise see the details"
    return BuildError(message, hint, {"cause": str(cause), "details": detail})


def _too_many(whole: Whole[Any]) -> BuildError:
    last = whole.failed[-1]
    message = f"{whole.job}: more than {_MOST_FAILED} rows fail ({last.cause}: {_last(last.detail)})"
    return BuildError(
        message,
        "so many rows are not at fault: look at the machine, or report the details",
        {"cause": str(last.cause), "details": last.detail},
    )


def _last(detail: str) -> str:
    """Return the last line of a traceback, which says what was raised."""
    return detail.strip().rpartition("\n")[2]
