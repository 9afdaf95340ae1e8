"""The limits on a template's time and memory: it is a program from a stranger.

CPU time    a timer of the process interrupts the main thread, which looks at its own time; another thread is watched
            by a thread of ours
memory      what a rendering makes is counted where it is made (``Meter``); behind that, on Linux, while a template runs
            in the main thread, the timer looks at how much the process has grown, and a limit on its data, as far
            away again, stops what a single step takes

That limit has to be out of reach of all that grows in small steps: where the memory for a call is refused, Python 3.11
sets no exception, mixes up the arguments of later calls, or crashes.

``Exceeded`` is no ``Exception``: nothing that means to catch a template's own errors takes it for one.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType, TracebackType

if sys.platform != "win32":
    import resource

_AGAIN = 0.05  # seconds: an interruption that was lost in a callback comes again
_COMPILING = 5  # times the time of a rendering
_HEADROOM = 2 * 2**30  # bytes: for what one rendering makes that is not counted
_LINE = 128  # bytes: more than the sizes of a process take, as text


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


class _Guard:
    """A context whose code may take only so much time and memory. Within another such context it does nothing."""

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
    """A timer that looks at the CPU time of this thread and at the data of the process, and a limit on that."""

    _running: _MainThread | None = None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._data: _Data | None = None

    def begin(self) -> None:
        if signal.getsignal(signal.SIGPROF) is not _MainThread._interrupt:
            signal.signal(signal.SIGPROF, _MainThread._interrupt)
            signal.siginterrupt(signal.SIGPROF, False)  # noqa: FBT003 - what other threads read goes on
        self._data = _Data() if sys.platform == "linux" else None
        self._began = time.thread_time()  # a tokenizer may be loading in another one
        _MainThread._running = self
        signal.setitimer(signal.ITIMER_PROF, min(_AGAIN, self._seconds), _AGAIN)

    @staticmethod
    def _interrupt(_number: int, frame: FrameType | None) -> None:
        running = _MainThread._running
        if running is None or _is_ours(frame):
            return
        if time.thread_time() - running._began >= running._seconds:
            raise _too_slow(running._seconds)
        if running._data is not None:
            running._data.check()

    def end(self) -> None:
        _MainThread._running = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self._data is not None:
            self._data.restore()


class _Data:
    """The writable memory of this process on Linux, and a limit on it (RLIMIT_DATA), which is set until ``restore``.

    A process may have grown a lot between two renderings, by what it reads: its size is measured anew for each. What
    other threads take meanwhile counts: a tokenizer that is loaded takes half a gigabyte at most.
    """

    __slots__ = ("_before", "_most", "_usual")

    _file = -1
    _process = 0

    def __init__(self) -> None:
        """Set the limit: above what there is, and no higher than the one that is set already."""
        size = self._size()
        self._before = resource.getrlimit(resource.RLIMIT_DATA)
        limits = (*self._before, size + 2 * _HEADROOM)
        limit = min(each for each in limits if each != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, self._before[1]))
        self._most = (size + limit) // 2
        self._usual = limit == limits[-1]

    @classmethod
    def _size(cls) -> int:
        """Return the size of the process's data (bytes). It is asked often: the file stays open."""
        if cls._process != os.getpid():
            cls._file, cls._process = os.open("/proc/self/statm", os.O_RDONLY), os.getpid()
        return int(os.pread(cls._file, _LINE, 0).split()[5]) * resource.getpagesize()

    def check(self) -> None:
        """Raise ``Exceeded`` where the process has grown half as much as it can.

        Raises MemoryError instead where it can grow less than usual: then that depends on what else it holds.
        """
        if self._size() > self._most:
            raise Exceeded("it needs too much memory") if self._usual else MemoryError

    def restore(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, self._before)


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
            with self._lock:
                if self._over.is_set():
                    return  # the thread may have ended, and its clock with it
                spent = time.clock_gettime(clock(self._thread)) - self._began if clock else time.monotonic() - began
                # A thread that waits for this one goes on where it stands: there it is interrupted.
                if spent > self._seconds and not _is_ours(_frame_of(self._thread)):
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


_looking = threading.Lock()


def _frame_of(thread: int) -> FrameType | None:
    """Return where a thread stands.

    While Python 3.11 makes the frames it holds a lock that the end of a thread and that of a ``threading.local`` want,
    too. If garbage were collected then, and such a thing were in it, all threads would wait for ever.
    """
    if sys.version_info >= (3, 12):  # collects between two steps of a program only
        return sys._current_frames().get(thread)
    with _looking:
        collects = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames().get(thread)
        finally:
            if collects:
                gc.enable()


_DEEP = 4  # frames: a guard calls no deeper

_OURS = frozenset(
    each.__code__
    for each in (
        _Guard.__enter__,
        _Guard.__exit__,
        _MainThread.begin,
        _MainThread.end,
        _OtherThread.begin,
        _OtherThread.end,
    )
)


def _is_ours(frame: FrameType | None) -> bool:
    """Tell whether a guard begins or ends there, or in what it calls: interrupted, it would never be over."""
    for _ in range(_DEEP):
        if frame is None:
            return False
        if frame.f_code in _OURS:
            return True
        frame = frame.f_back
    return False
