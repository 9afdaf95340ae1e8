"""The one loop that all engines run: tasks to workers, events to the schedule, an end to those that hang."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from maskprep.engines.events import Alive, Beat, Crew, Event, Faulted, Finished, Ready
from maskprep.engines.interrupts import Interrupts
from maskprep.engines.job import Cause, J, Outcome, Progress, R, Stopping, ignore
from maskprep.engines.schedule import Schedule, Task
from maskprep.errors import BuildError

_TICK = 0.5  # seconds: how long Ctrl-C and a worker that hangs may wait for attention
_START = 600.0  # seconds: set-up may fetch a tokenizer, and a cluster may have to grow
_STARTS = 3  # workers in a row that end before they are set up


@dataclass(frozen=True, slots=True)
class Terms:
    """How jobs are done: see ``Engine.run`` and the engines."""

    window: int
    patience: float
    progress: Progress[Any] = ignore
    stopping: Stopping = ignore


@dataclass(slots=True)
class _Hand(Generic[J]):
    """A worker as the loop knows it. ``seen``: when it last gave a sign of life, or was hired."""

    task: Task[J] | None
    seen: float
    alive: bool = False
    ready: bool = False
    beat: Any = None


def drive(crew: Crew, jobs: Iterable[J], terms: Terms) -> Iterator[Outcome[J, Any]]:
    """Do the jobs; see ``Engine.run``. The crew is ended, whatever happens."""
    try:
        with Interrupts(crew.kill) as interrupts:
            yield from _Loop[J, Any](crew, Schedule(jobs, terms.window), terms).outcomes(interrupts)
    except BaseException:
        crew.kill()
        raise
    crew.close()


class _Loop(Generic[J, R]):
    """What is known of workers while jobs are done."""

    def __init__(self, crew: Crew, schedule: Schedule[J, R], terms: Terms) -> None:
        self._crew, self._schedule, self._terms = crew, schedule, terms
        self._hands: dict[int, _Hand[J]] = {}
        self._hired = 0
        self._stillborn = 0  # workers that ended before they were set up, since one was
        # Time while the loop was awake: what the caller does between two outcomes, or a suspended program, is no reason
        # to think that workers hang.
        self._clock = 0.0
        self._checked = 0.0  # when it was last asked whether workers hang
        self._woke = time.monotonic()

    def outcomes(self, interrupts: Interrupts) -> Iterator[Outcome[J, R]]:
        told = False
        while True:
            if not interrupts.asked:
                self._fill()
            elif not told:
                told = True
                self._drop_starting()
                self._terms.stopping(sum(hand.task is not None for hand in self._hands.values()))
            if all(hand.task is None for hand in self._hands.values()):
                break
            events = self._crew.events(_TICK)
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
        """Give every idle worker a task, and hire for what is left."""
        idle = [number for number, hand in self._hands.items() if hand.task is None and hand.ready]
        while idle or len(self._hands) < self._crew.limit:
            task = self._schedule.next() or (self._unbegun() if idle else None)
            if task is None:
                return
            if idle:
                self._give(idle.pop(), task)
            else:
                self._hired += 1
                self._hands[self._hired] = _Hand(task, self._clock)
                self._crew.hire(self._hired)

    def _unbegun(self) -> Task[J] | None:
        """Take back the task of a worker that does not run yet: a cluster that lost a node may have no place for it."""
        for hand in self._hands.values():
            if hand.task is not None and not hand.alive:
                task, hand.task = hand.task, None
                return task
        return None

    def _give(self, number: int, task: Task[J]) -> None:
        hand = self._hands[number]
        hand.task, hand.seen, hand.beat = task, self._clock, None
        self._crew.give(number, task.job, watched=task.watched)

    def _heard(self, number: int, event: Event) -> Outcome[J, R] | None:
        hand = self._hands.get(number)
        if hand is None:
            return None
        hand.seen, hand.alive = self._clock, True
        match event:
            case Ready():
                hand.ready, self._stillborn = True, 0
                if hand.task is not None:
                    self._give(number, hand.task)
            case Beat(value) if hand.task is not None:
                hand.beat = value
                self._terms.progress(hand.task.job, value)
            case Finished(result) if hand.task is not None:
                task, hand.task = hand.task, None
                return self._schedule.finished(task, result)
            case Faulted():
                return self._faulted(number, hand, event)
            case Alive() | Beat() | Finished():
                pass  # a sign of life, or a word of a task that is over
        return None

    def _faulted(self, number: int, hand: _Hand[J], fault: Faulted) -> Outcome[J, R] | None:
        task, hand.task = hand.task, None
        if fault.cause is not Cause.RAISED or not hand.ready:
            self._crew.dismiss(number)
            del self._hands[number]
        if fault.error is not None:
            raise fault.error
        if not hand.ready:
            self._start_failed(fault)
            if task is not None:
                self._schedule.put_back(task)
            return None
        return self._schedule.failed(task, fault.cause, fault.detail, hand.beat) if task is not None else None

    def _start_failed(self, fault: Faulted) -> None:
        """Bear that a worker was lost before it was set up, but not for ever."""
        self._stillborn += 1
        if fault.cause in (Cause.KILLED, Cause.HUNG) and self._stillborn < _STARTS:
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
            return  # thousands of workers are not looked through for every word of one
        self._checked = self._clock
        working = any(hand.ready for hand in self._hands.values())
        for number, hand in list(self._hands.items()):
            if number in heard or hand.task is None:
                continue
            if working and not hand.alive:
                hand.seen = self._clock  # it waits for a place in a cluster: no matter, others work
            patience = self._terms.patience if hand.ready else _START
            if self._clock - hand.seen > patience:
                yield number, Faulted(Cause.HUNG, f"no sign of life for {patience:g} seconds")

    def _drop_starting(self) -> None:
        """Let those go that have begun nothing."""
        for number in [number for number, hand in self._hands.items() if not hand.ready]:
            self._crew.dismiss(number)
            del self._hands[number]
