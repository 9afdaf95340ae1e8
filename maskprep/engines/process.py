"""A worker that is a process of this machine: it lives as long as the driver does, no longer."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any, NoReturn

from maskprep.engines.events import Alive, Faulted, HeartbeatSent, Ready
from maskprep.engines.job import Cause, Work
from maskprep.engines.worker import ThrottledHeartbeat, attempt, limit_memory, packed, set_up

_INTERVAL = 0.2  # seconds between heartbeats that are sent


def serve(driver: Connection, memory_limit: int | None) -> None:
    """Make this process a worker: it gets the set-up, then jobs, one by one, until the driver hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    end_with_driver()
    _prefer_to_be_killed()
    limit_memory(memory_limit)
    with contextlib.suppress(EOFError, OSError):  # the driver is gone, or has no more work
        driver.send_bytes(packed(Alive()))
        setup = driver.recv_bytes()
        started = set_up(setup)
        if isinstance(started, Faulted):
            driver.send_bytes(packed(started))
            return
        driver.send_bytes(packed(Ready()))
        while _serve_one(driver, started.result):
            pass


def _serve_one(driver: Connection, work: Work[Any, Any]) -> bool:
    """Do one job, and return whether this process is fit for another."""
    every_heartbeat, job = driver.recv()
    heartbeat = ThrottledHeartbeat(lambda value: _send_heartbeat(driver, value), 0.0 if every_heartbeat else _INTERVAL)
    event = attempt(lambda: work(pickle.loads(job), heartbeat))  # noqa: S301 - it comes from the driver
    driver.send_bytes(packed(event))
    return not isinstance(event, Faulted) or event.cause is Cause.RAISED


def _send_heartbeat(driver: Connection, value: Any) -> None:
    """Send a heartbeat; without a driver the process ends here, lest the work take it for an error of a row."""
    try:
        driver.send_bytes(packed(HeartbeatSent(value)))
    except OSError:
        _end()


def _end(*_: object) -> NoReturn:
    os._exit(1)


def end_with_driver() -> None:
    """Have this process end when the driver does, even in the midst of C code that never returns.

    Its own parent is multiprocessing's fork server, which waits for us: PR_SET_PDEATHSIG would tell nothing. But the
    driver holds the other end of a pipe, and the kernel can report its end by a signal.
    """
    parent = parent_process()
    if parent is None:
        return
    lifeline = parent.sentinel
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not on Windows

        signal.signal(signal.SIGIO, signal.SIG_DFL)  # to be ended by the kernel
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if wait([lifeline], 0):  # it was too late for a signal
            _end()
    else:
        Thread(target=lambda: _end(wait([lifeline])), daemon=True).start()


def _prefer_to_be_killed() -> None:
    """Have Linux, out of memory, kill a worker rather than the driver."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("500")
