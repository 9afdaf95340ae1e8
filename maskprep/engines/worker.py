"""What a worker does, whatever it lives in: calls that may fail, events, heartbeats, a limit of its memory."""

from __future__ import annotations

import pickle
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from maskprep.engines.events import Event, Faulted, Finished
from maskprep.engines.job import Cause
from maskprep.errors import BuildError, MaskprepError


class ThrottledHeartbeat:
    """A heartbeat that sends at most one value in ``interval`` seconds, the first after that time; with 0, each."""

    def __init__(self, send: Callable[[Any], None], interval: float) -> None:
        self._send, self._interval = send, interval
        self._next = time.monotonic() + interval

    def __call__(self, value: Any) -> None:
        """Send a value, if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            self._send(value)


def attempt(call: Callable[[], Any]) -> Finished | Faulted:
    """Return what the call returns, or how it failed."""
    try:
        return Finished(call())
    except KeyboardInterrupt:
        raise  # the user's, where the worker is the driver itself
    except BaseException as error:  # noqa: BLE001 - the driver hears of whatever is raised, SystemExit too
        return fault(error)


def set_up(setup: bytes) -> Finished | Faulted:
    """Call the pickled set-up; the result is the work."""

    def call() -> Any:
        return pickle.loads(setup)()  # noqa: S301 - it comes from the driver

    return attempt(call)


def packed(event: Event) -> bytes:
    """Return an event, pickled; a result that cannot be pickled is a fault of the work."""
    try:
        return pickle.dumps(event)
    except Exception as error:  # noqa: BLE001 - a result's class may do anything
        return pickle.dumps(fault(error))


def unpacked(message: bytes) -> Event:
    """Return the event of a message, in the driver; a result that cannot be read is a fault of the work."""
    try:
        event: Event = pickle.loads(message)  # noqa: S301 - it comes from our own worker
    except Exception as error:  # noqa: BLE001 - a result's class may do anything
        return Faulted(Cause.RAISED, f"its result cannot be read: {type(error).__name__}: {error}")
    return event


def fault(error: BaseException) -> Faulted:
    """Return the event of an exception; maskprep's own exceptions end the run."""
    if isinstance(error, MemoryError):
        # The traceback's frames hold what filled the memory.
        return Faulted(Cause.MEMORY, "MemoryError")
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, MaskprepError):
        own = error if _travels(error) else BuildError(error.message, error.hint)
        return Faulted(Cause.RAISED, detail, own)
    return Faulted(Cause.RAISED, detail)


def limit_memory(limit: int | None) -> None:
    """Let this process have at most ``limit`` bytes of memory of its own: beyond, it meets MemoryError.

    On Linux these are writable private pages (RLIMIT_DATA): address space that is only reserved, as by thread pools,
    and shared or read-only files do not count. Elsewhere it is address space, where the system enforces that at all.
    """
    if limit is None or sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _travels(error: MaskprepError) -> bool:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - its arguments can be of any type
        return False
    return True
