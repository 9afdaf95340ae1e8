"""The one loop that all engines run: tasks to workers, events to the schedule, an end to those that hang."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from maskprep.engines.events import Alive, Event, Faulted, Finished, HeartbeatSent, Pool, Ready
from maskprep.engines.interrupts import Interrupts
from maskprep.engines.job import Cause, J, Outcome, Progress, R, Stopping, ignore
from maskprep.engines.schedule import Schedule, Task
from maskprep.errors import BuildError

_TICK = 0.5  # seconds: how long Ctrl-C and a worker that hangs may wait for attention
_START = 600.0  # seconds: set-up may fetch a tokenizer, and a cluster may have to grow
_STARTS = 3  # workers in a row that end before they are set up


@dataclass(frozen=True, slots=True)
class Terms:
    """How jobs are done: the arguments of ``Engine.run``, and the ``patience`` of an engine in seconds."""

    window: int
    patience: float
    progress: Progress[Any] = ignore
    stopping: Stopping = ignore


@dataclass(slots=True)
class _RunningWorker(Generic[J]):
    """A worker as the loop knows it. ``seen``: when it last gave a sign of life, or was started.

    ``alive``: it runs; ``ready``: it is set up; ``heartbeat``: the last value that it sent of its task.
    """

    task: Task[J] | None
    seen: float
    alive: bool = False
    ready: bool = False
    heartbeat: Any = None


def drive(pool: Pool, jobs: Iterable[J], terms: Terms) -> Iterator[Outcome[J, Any]]:
    """Yield the outcome of each job as ``Engine.run`` promises it; the pool is ended, whatever happens."""
    try:
        with Interrupts(pool.kill) as interrupts:
            yield from _Loop[J, Any](pool, Schedule(jobs, terms.window), terms).outcomes(interrupts)
    except BaseException:
        pool.kill()
        raise
    pool.close()


class _Loop(Generic[J, R]):
    """The loop between a pool and a schedule, and what it knows of each worker meanwhile."""

    def __init__(self, pool: Pool, schedule: Schedule[J, R], terms: Terms) -> None:
        self._pool, self._schedule, self._terms = pool, schedule, terms
        self._workers: dict[int, _RunningWorker[J]] = {}
        self._started = 0
        self._failed_starts = 0  # workers that ended before they were set up, since one was
        # Time while the loop was awake: what the caller does between two outcomes, or a suspended program, is no reason
        # to think that workers hang.
        self._clock = 0.0
        self._checked = 0.0  # when it was last asked whether workers hang
        self._woke = time.monotonic()

    def outcomes(self, interrupts: Interrupts) -> Iterator[Outcome[J, R]]:
        announced = False
        while True:
            if not interrupts.asked:
                self._fill()
            elif not announced:
                announced = True
                self._drop_starting()
                self._terms.stopping(sum(worker.task is not None for worker in self._workers.values()))
            if all(worker.task is None for worker in self._workers.values()):
                break
            events = self._pool.events(_TICK)
            now = time.monotonic()
            self._clock += min(now - self._woke, 2 * _TICK)
            self._woke = now
            for number, event in (*events, *self._hung({number for number, _ in events})):
                outcome = self._heard(number, event)
                if outcome is not None:
                    yield outcome
        if interrupts.asked:
            raise KeyboardInterrupt

    def _fill(self) -> None:
        """Give every idle worker a task, and start workers for the tasks that are left."""
        idle = [number for number, worker in self._workers.items() if worker.task is None and worker.ready]
        while idle or len(self._workers) < self._pool.limit:
            task = self._schedule.next() or (self._unbegun() if idle else None)
            if task is None:
                return
            if idle:
                self._give(idle.pop(), task)
            else:
                self._started += 1
                self._workers[self._started] = _RunningWorker(task, self._clock)
                self._pool.start(self._started)

    def _unbegun(self) -> Task[J] | None:
        """Take back the task of a worker that does not run yet: a cluster that lost a node may have no place for it."""
        for worker in self._workers.values():
            if worker.task is not None and not worker.alive:
                task, worker.task = worker.task, None
                return task
        return None

    def _give(self, number: int, task: Task[J]) -> None:
        worker = self._workers[number]
        worker.task, worker.seen, worker.heartbeat = task, self._clock, None
        self._pool.give(number, task.job, every_heartbeat=task.every_heartbeat)

    def _heard(self, number: int, event: Event) -> Outcome[J, R] | None:
        worker = self._workers.get(number)
        if worker is None:
            return None
        worker.seen, worker.alive = self._clock, True
        match event:
            case Ready():
                worker.ready, self._failed_starts = True, 0
                if worker.task is not None:
                    self._give(number, worker.task)
            case HeartbeatSent(value) if worker.task is not None:
                worker.heartbeat = value
                self._terms.progress(worker.task.job, value)
            case Finished(result) if worker.task is not None:
                task, worker.task = worker.task, None
                return self._schedule.finished(task, result)
            case Faulted():
                return self._faulted(number, worker, event)
            case Alive() | HeartbeatSent() | Finished():
                pass  # a sign of life, or news of a task that is over
        return None

    def _faulted(self, number: int, worker: _RunningWorker[J], fault: Faulted) -> Outcome[J, R] | None:
        task, worker.task = worker.task, None
        if fault.cause is not Cause.RAISED or not worker.ready:
            self._pool.stop(number)
            del self._workers[number]
        if fault.error is not None:
            raise fault.error
        if not worker.ready:
            self._start_failed(fault)
            if task is not None:
                self._schedule.put_back(task)
            return None
        return self._schedule.failed(task, fault.cause, fault.detail, worker.heartbeat) if task is not None else None

    def _start_failed(self, fault: Faulted) -> None:
        """Bear that a worker was lost before it was set up, but not for ever.

        Raises:
            BuildError: too many were in a row, or what failed would fail in each.
        """
        self._failed_starts += 1
        if fault.cause in (Cause.KILLED, Cause.HUNG) and self._failed_starts < _STARTS:
            return
        what = {
            Cause.KILLED: f"{_STARTS} workers in a row were lost while they started",
            Cause.HUNG: f"{_STARTS} workers in a row were not set up in {_START:g} seconds",
            Cause.MEMORY: "a worker ran out of memory while it started",
            Cause.RAISED: "a worker cannot be set up",
        }[fault.cause]
        hint = "allow workers more memory, or use fewer of them" if fault.cause is not Cause.RAISED else ""
        last = fault.detail.strip().rpartition("\n")[2]
        raise BuildError(f"{what}: {last}", hint, {"cause": str(fault.cause), "details": fault.detail})

    def _hung(self, heard: set[int]) -> Iterator[tuple[int, Faulted]]:
        """Yield the fault of each worker that was silent for too long."""
        if self._clock - self._checked < _TICK:
            return  # thousands of workers are not looked through for every event of one
        self._checked = self._clock
        working = any(worker.ready for worker in self._workers.values())
        for number, worker in list(self._workers.items()):
            if number in heard or worker.task is None:
                continue
            if working and not worker.alive:
                worker.seen = self._clock  # it waits for a place in a cluster: no matter, others work
            patience = self._terms.patience if worker.ready else _START
            if self._clock - worker.seen > patience:
                yield number, Faulted(Cause.HUNG, f"no sign of life for {patience:g} seconds")

    def _drop_starting(self) -> None:
        """Stop the workers that have begun nothing."""
        for number in [number for number, worker in self._workers.items() if not worker.ready]:
            self._pool.stop(number)
            del self._workers[number]
