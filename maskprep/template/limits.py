"""What a template may take: it is a program from a stranger.

CPU time    a timer of the process interrupts the main thread; another thread is watched by a thread of ours
memory      what a rendering makes is counted where it is made (``Meter``); behind that, on Linux, stands a limit on the
            data of the process while a template runs in its main thread

``Exceeded`` is no ``Exception``: nothing that means to catch a template's own errors takes it for one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sized
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

if sys.platform != "win32":
    import resource

_AGAIN = 0.05  # seconds: an interruption that was lost in a callback comes again
_COMPILING = 5  # times the time of a rendering
_IN_ALL = 8  # times what one rendering may write: everything that it makes
_HEADROOM = 2 * 2**30  # bytes: for what one rendering makes that is not counted
_MEASURED_EVERY = 256  # renderings: the size of the process
_SMALL = 1_024  # characters: of a longer text it matters how many bytes each takes
_ITEM = 8  # bytes that an item of a list takes
MOST_BITS = 100_000  # of a number: with larger ones arithmetic itself takes seconds
MOST_STEPS = 10**9  # of what Python does in one go, character by character


class Exceeded(BaseException):
    """A template went beyond a limit. Its text says which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may take: ``seconds`` of CPU time, and text of ``size`` bytes, about."""

    seconds: float = 2.0
    size: int = 64 * 2**20

    def running(self) -> _Guard:
        """Return a context in which a template may run. Raises ``Exceeded`` in it."""
        return _Guard(self.seconds)

    def compiling(self) -> _Guard:
        """Return a context in which a template may be compiled."""
        return _Guard(self.seconds * _COMPILING)


class Meter:
    """Counts what a rendering makes."""

    def __init__(self, limit: int) -> None:
        """Allow ``limit`` bytes at a time, and some times as much in all."""
        self.limit = limit
        self.made = 0

    def reset(self) -> None:
        """Begin another rendering."""
        self.made = 0

    def allow(self, size: int) -> None:
        """Let something be made that takes ``size`` bytes, or raise ``Exceeded``."""
        if size > self.limit:
            raise Exceeded(f"it would make a text of {size:,} bytes, more than template_bytes: {self.limit:,}")

    def _add(self, size: int) -> None:
        self.allow(size)
        self.made += size
        if self.made > _IN_ALL * self.limit:
            raise Exceeded(f"it makes more text than {_IN_ALL} times template_bytes: {self.limit:,}")

    def count(self, value: Any) -> Any:
        """Count what was made, and hand it on."""
        if isinstance(value, str | bytes):
            self._add(sys.getsizeof(value) if len(value) > _SMALL else len(value))
        elif isinstance(value, list | tuple | dict | set):
            self._add(len(value) * _ITEM)
        elif isinstance(value, int):
            self.number(value.bit_length())
        return value

    @staticmethod
    def number(bits: int) -> None:
        """Let a number be made that has so many bits."""
        if bits > MOST_BITS:
            raise Exceeded(f"it would make a number of {bits:,} bits")

    @staticmethod
    def steps(count: int) -> None:
        """Let something be done that takes so many steps, none of which can be interrupted."""
        if count > MOST_STEPS:
            raise Exceeded(f"it would take {count:,} steps in one go")

    def printed(self, *values: Any) -> None:
        """Let lists and mappings be printed or compared, which hold the same things over and over, perhaps."""
        for value in values:
            if not isinstance(value, str) and isinstance(value, Sized):
                self.allow(_printed(value, {}))


def _printed(value: Any, known: dict[int, int]) -> int:
    """Return about how long a value is when it is printed. Each object is looked at once."""
    if isinstance(value, str | bytes):
        return len(value) + 2
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return 8
    found = known.get(id(value))
    if found is None:
        known[id(value)] = 2  # should it hold itself
        items = [*value, *value.values()] if isinstance(value, dict) else value
        found = known[id(value)] = 2 + sum(_printed(item, known) + 2 for item in items)
    return found


class _Guard:
    """A stretch of code that may take only so much. Within another one it does nothing."""

    __slots__ = ("_inner", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._inner: _MainThread | _OtherThread | None = None

    def __enter__(self) -> None:
        if getattr(_guarded, "now", False):
            return
        main = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        self._inner = _MainThread(self._seconds) if main else _OtherThread(self._seconds)
        self._inner.begin()
        _guarded.now = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._inner is not None:
            _guarded.now = False
            self._inner.end()


_guarded = threading.local()


def _too_slow(seconds: float) -> Exceeded:
    return Exceeded(f"it takes more CPU time than template_seconds: {seconds:g}")


class _MainThread:
    """A timer that counts the CPU time of this process, and a limit on its data."""

    _running: _MainThread | None = None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before: tuple[int, int] | None = None

    def begin(self) -> None:
        if signal.getsignal(signal.SIGPROF) is not _MainThread._interrupt:
            signal.signal(signal.SIGPROF, _MainThread._interrupt)
        self._before = _Data.lower()
        _MainThread._running = self
        signal.setitimer(signal.ITIMER_PROF, self._seconds, _AGAIN)

    @staticmethod
    def _interrupt(_number: int, _frame: FrameType | None) -> None:
        if _MainThread._running is not None:
            raise _too_slow(_MainThread._running._seconds)

    def end(self) -> None:
        try:
            _MainThread._running = None
        finally:
            # It may have gone off just now: what follows is done in any case, long before it goes off again.
            _MainThread._running = None
            signal.setitimer(signal.ITIMER_PROF, 0)
            _Data.restore(self._before)


class _Data:
    """The limit on the writable memory of this process (RLIMIT_DATA): a bit above what it has."""

    _asked = 0
    _size = 0
    _process = 0

    @classmethod
    def lower(cls) -> tuple[int, int] | None:
        """Set the limit; return the one before, None where there is no such thing."""
        if sys.platform != "linux":
            return None
        if cls._asked % _MEASURED_EVERY == 0 or cls._process != os.getpid():
            cls.measure()
        cls._asked += 1
        before = resource.getrlimit(resource.RLIMIT_DATA)
        least = min((limit for limit in (*before, cls._size + _HEADROOM) if limit != resource.RLIM_INFINITY), default=0)
        resource.setrlimit(resource.RLIMIT_DATA, (least, before[1]))
        return before

    @classmethod
    def measure(cls) -> None:
        """Find out how much this process has."""
        cls._process = os.getpid()
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - this is asked often
            cls._size = int(file.read().split()[5]) * resource.getpagesize()

    @staticmethod
    def restore(before: tuple[int, int] | None) -> None:
        if before is not None:
            resource.setrlimit(resource.RLIMIT_DATA, before)


class _OtherThread:
    """A thread that looks at the clock of this one and, when its time is over, raises an exception in it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._raised = False

    def begin(self) -> None:
        self._began = time.thread_time()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        clock = getattr(time, "pthread_getcpuclockid", None)
        began = time.monotonic()
        while not self._over.wait(_AGAIN):
            spent = time.clock_gettime(clock(self._thread)) - self._began if clock else time.monotonic() - began
            with self._lock:
                if spent > self._seconds and not self._over.is_set():
                    self._raised = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(Exceeded))

    def end(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(Exceeded), self._lock:
                self._over.set()
        if self._raised:
            # One may be on its way: it is taken here.
            with contextlib.suppress(Exceeded):
                for _ in range(100):
                    time.sleep(0)
