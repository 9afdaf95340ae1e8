"""Workers that are Ray actors, and the actor that collects their heartbeats."""

from __future__ import annotations

import pickle
import re
import time
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from maskprep.engines.events import Alive, Event, Faulted, HeartbeatSent, Ready
from maskprep.engines.job import Cause, Work
from maskprep.engines.worker import ThrottledHeartbeat, attempt, limit_memory, packed, set_up, unpacked
from maskprep.errors import UsageError

_INTERVAL = 0.5  # seconds between heartbeats that are sent, and between looks at them
_SHORT_INTERVAL = 0.05  # where every heartbeat is wanted: each is a message through the cluster

_MISSING = re.compile(r"ModuleNotFoundError: (No module named \S+)")


class WorkerActor:
    """A worker: an actor whose calls run in the main thread of its process, one after the other."""

    def __init__(self, number: int, monitor: Any, memory_limit: int | None) -> None:
        # Nothing is set up here: first it is waited for that the actor has a place.
        self._number, self._monitor, self._memory_limit = number, monitor, memory_limit
        self._work: Work[Any, Any] | None = None

    def live(self) -> bytes:
        """Return the event that the actor has a place."""
        return packed(Alive())

    def set_up(self, setup: bytes) -> bytes:
        """Set up the work; return the event that says how that ended."""
        limit_memory(self._memory_limit)
        event = set_up(setup)
        if isinstance(event, Faulted):
            return packed(event)
        self._work = event.result
        return packed(Ready())

    def perform(self, job: bytes, interval: float) -> bytes:
        """Do a job, and return its event; heartbeats go to the monitor, at most one in ``interval`` seconds."""
        work = self._work
        assert work is not None
        # One that is lost on the way is made up for by the next.
        heartbeat = ThrottledHeartbeat(lambda value: self._monitor.heartbeat.remote(self._number, value), interval)
        return packed(attempt(lambda: work(pickle.loads(job), heartbeat)))  # noqa: S301 - it comes from the driver


class Monitor:
    """Keeps the last heartbeat of each worker until the driver takes them all: one call, however many workers."""

    def __init__(self) -> None:
        self._heartbeats: dict[int, Any] = {}

    def heartbeat(self, number: int, value: Any) -> None:
        """Keep a worker's heartbeat instead of the one before."""
        self._heartbeats[number] = value

    def taken(self) -> dict[int, Any]:
        """Return the heartbeats since the last call."""
        heartbeats, self._heartbeats = self._heartbeats, {}
        return heartbeats


class RayPool:
    """A ``Pool`` with an actor for each worker, each of one processor."""

    def __init__(self, setup: bytes, limit: int, memory_limit: int | None) -> None:
        self.limit = limit
        self._setup, self._memory_limit = setup, memory_limit
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(WorkerActor)
        # It moves to another node if its own is lost.
        self._monitor = ray.remote(num_cpus=0, max_restarts=-1)(Monitor).remote()
        self._actors: dict[int, Any] = {}
        self._ready: set[int] = set()
        self._calls: dict[Any, int] = {}  # what is waited for, and whose it is
        self._look: Any = None  # at the heartbeats
        self._next_look = 0.0

    def start(self, number: int) -> None:
        """Ask for an actor; the cluster may have no place for it yet."""
        actor = self._actor_class.remote(number, self._monitor, self._memory_limit)
        self._actors[number] = actor
        self._calls[actor.live.remote()] = number

    def give(self, number: int, job: Any, *, every_heartbeat: bool) -> None:
        """Have the actor perform a job."""
        interval = _SHORT_INTERVAL if every_heartbeat else _INTERVAL
        self._calls[self._actors[number].perform.remote(pickle.dumps(job), interval)] = number

    def stop(self, number: int) -> None:
        """Kill the actor."""
        actor = self._actors.pop(number, None)
        if actor is not None:
            self._ready.discard(number)
            self._calls = {call: owner for call, owner in self._calls.items() if owner != number}
            ray.kill(actor)

    def events(self, timeout: float) -> list[tuple[int, Event]]:
        """Return the heartbeats that came, and the events that calls of actors returned."""
        if self._look is None and time.monotonic() >= self._next_look:
            self._look = self._monitor.taken.remote()
        waited = [*self._calls, *([self._look] if self._look is not None else ())]
        ready, _ = ray.wait(waited, num_returns=1, timeout=timeout)
        if ready:  # and what else is there by now
            ready, _ = ray.wait(waited, num_returns=len(waited), timeout=0)
        events: list[tuple[int, Event]] = []
        if self._look in ready:
            ready.remove(self._look)
            events += self._heartbeats()  # before a job's end: they are older
        for call in ready:
            number = self._calls.pop(call)
            events.append((number, self._returned(number, call)))
        return events

    def _heartbeats(self) -> list[tuple[int, Event]]:
        look, self._look = self._look, None
        self._next_look = time.monotonic() + _INTERVAL
        try:
            return [(number, HeartbeatSent(value)) for number, value in ray.get(look).items()]
        except RayError:
            return []  # it is being restarted elsewhere; patience is longer than that takes

    def _returned(self, number: int, call: Any) -> Event:
        try:
            event = unpacked(ray.get(call))
        except RayError as error:
            event = Faulted(Cause.KILLED, f"{type(error).__name__}: {error}")
        if isinstance(event, Faulted) and number not in self._ready:
            missing = _MISSING.search(event.detail)
            return replace(event, error=_incomplete(missing[1])) if missing else event
        if isinstance(event, Ready):
            self._ready.add(number)
        if isinstance(event, Alive):
            self._calls[self._actors[number].set_up.remote(self._setup)] = number
        return event

    def close(self) -> None:
        """End actors and monitor."""
        self.kill()

    def kill(self) -> None:
        """End actors and monitor."""
        for number in list(self._actors):
            self.stop(number)
        ray.kill(self._monitor)


def _incomplete(what: str) -> UsageError:
    hint = "install maskprep, the same version with the same extras, on every node"
    return UsageError(f"a node of the cluster: {what}", hint)
