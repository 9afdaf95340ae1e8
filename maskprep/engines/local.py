"""Worker processes of this machine; or, for quick small builds, none."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from maskprep.engines.drive import Terms, drive
from maskprep.engines.events import Alive, Event, Faulted
from maskprep.engines.inline import InlinePool
from maskprep.engines.job import Cause, J, Outcome, Progress, R, Setup, Stopping, ignore
from maskprep.engines.process import serve
from maskprep.engines.worker import unpacked

_PATIENCE = 300.0  # seconds
_LEAVE = 2.0  # seconds that an idle worker has to end by itself


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Does jobs on this machine.

    Args:
        workers: processes; None: one for each processor that we may use; 0: none, the jobs are done in this process.
            That starts at once, but a row that kills or hangs it takes all down.
        patience: seconds without a heartbeat after which a worker counts as hung.
        memory_limit: bytes a worker may have (see ``limit_memory``); None: as the system has it. Not with 0 workers.
        preload: modules that are imported once, before the first worker, for all of them. They must start no threads.
    """

    workers: int | None = None
    patience: float = _PATIENCE
    memory_limit: int | None = None
    preload: tuple[str, ...] = ()

    def run(
        self,
        setup: Setup[J, R],
        jobs: Iterable[J],
        *,
        window: int,
        progress: Progress[J] | None = None,
        stopping: Stopping | None = None,
    ) -> Iterator[Outcome[J, R]]:
        """Yield the outcome of each job, as ``Engine.run`` promises it."""
        count = available_workers() if self.workers is None else self.workers
        terms = Terms(window, self.patience, progress or ignore, stopping or ignore)
        if not count:
            return drive(InlinePool(setup, terms.progress), jobs, terms)
        return drive(_ProcessPool(pickle.dumps(setup), count, self), jobs, terms)

    def warm(self) -> None:
        """Begin to import what workers need, beside what this process does until it has jobs for them."""
        if self.workers != 0:
            _context(self.preload)


def available_workers() -> int:
    """Return how many processors this process may keep busy: its affinity, less what its control group allows."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        count = min(count, int(quota) // int(period))  # a quota of "max" is no number
    return max(count, 1)


def _context(preload: Sequence[str]) -> ForkServerContext | SpawnContext:
    """Return how to start processes: by forks of a server that has imported what they need, where there is one.

    Not by forks of this process: it may have threads (tokenizers, torch, pyarrow) that do not survive that.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # it would unblock the signal
    # The server and its children begin with Ctrl-C blocked: they would print tracebacks before they can ignore it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Have processes begin without the module that the user started: a build needs nothing that stands there.

    They would import it, and a script that builds without asking ``if __name__ == "__main__"`` would build again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@dataclass(frozen=True, slots=True)
class _WorkerProcess:
    process: BaseProcess
    pipe: connection.Connection

    def end(self, wait: float = 0.0) -> int | None:
        """Kill the process, unless it ends by itself in ``wait`` seconds, and return its exit code."""
        self.pipe.close()
        self.process.join(wait)
        self.process.kill()
        self.process.join(_LEAVE)  # it may be stuck in the kernel, on a lost network drive
        return self.process.exitcode


class _ProcessPool:
    """A ``Pool`` with a process and a pipe for each worker: one killed in the midst of a message blocks no other."""

    def __init__(self, setup: bytes, limit: int, engine: LocalEngine) -> None:
        self.limit = limit
        self._setup, self._engine = setup, engine
        self._workers: dict[int, _WorkerProcess] = {}
        self._by_pipe: dict[connection.Connection, int] = {}
        self._lost: list[tuple[int, Event]] = []

    def start(self, number: int) -> None:
        context = _context(self._engine.preload)
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._engine.memory_limit), daemon=True)
        try:
            with _without_main() if b"__main__" not in self._setup else contextlib.nullcontext():
                process.start()
        except (OSError, EOFError) as error:  # no process, no memory, or no server any more
            ours.close()
            self._lost.append((number, Faulted(Cause.KILLED, f"it cannot be started: {error or 'the server ended'}")))
        else:
            self._workers[number] = _WorkerProcess(process, ours)
            self._by_pipe[ours] = number
        finally:
            theirs.close()

    def give(self, number: int, job: Any, *, every_heartbeat: bool) -> None:
        with contextlib.suppress(OSError):  # the worker is gone: events() will say so
            self._workers[number].pipe.send((every_heartbeat, pickle.dumps(job)))

    def stop(self, number: int) -> None:
        worker = self._workers.pop(number, None)
        if worker is not None:
            self._by_pipe.pop(worker.pipe, None)
            worker.end()

    def events(self, timeout: float) -> list[tuple[int, Event]]:
        events, self._lost = self._lost, []
        for pipe in connection.wait(list(self._by_pipe), 0.0 if events else timeout):
            assert isinstance(pipe, connection.Connection)
            number = self._by_pipe[pipe]
            events.append((number, self._read(number, pipe)))
        return events

    def _read(self, number: int, pipe: connection.Connection) -> Event:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            worker = self._workers.pop(number)
            del self._by_pipe[worker.pipe]
            return Faulted(Cause.KILLED, _ended(worker.end(_LEAVE)))
        event = unpacked(message)
        if isinstance(event, Alive):
            with contextlib.suppress(OSError):  # it is gone since: the next events() will say so
                pipe.send_bytes(self._setup)
        return event

    def close(self) -> None:
        workers = list(self._workers.values())
        self._workers, self._by_pipe = {}, {}
        for worker in workers:
            worker.pipe.close()  # all at once, then they are waited for
        for worker in workers:
            worker.end(_LEAVE)

    def kill(self) -> None:
        for worker in list(self._workers.values()):
            worker.process.kill()
        for number in list(self._workers):
            self.stop(number)


def _ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the worker ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {item.value for item in signal.Signals} else f"signal {-code}"
    more = ", perhaps by the system for want of memory" if name == "SIGKILL" else ""
    return f"the worker was ended by {name}{more}"
