"""A look-ahead buffer of items, which a thread keeps full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread, main_thread
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.1  # seconds between looks at whether anyone still wants it


def ahead(source: Iterable[T], size: int) -> Iterator[T]:
    """Yield the items of ``source``, up to ``size`` of which wait in memory; any error of ``source`` is raised here.

    The thread begins with the first item that is asked for, and ends with the iteration, also when that is given up.
    """
    waiting: Queue[T | _End] = Queue(size)
    stop = Event()
    thread = Thread(target=_fill, args=(iter(source), waiting, stop), name="maskprep-look-ahead")
    thread.start()
    del source  # the thread alone holds it: processes behind it end when the thread does
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        _drain(waiting)
        thread.join()


class _End:
    """Stands after the last item; ``error`` is why there are no more, if that has a reason."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _fill(source: Iterator[T], waiting: Queue[T | _End], stop: Event) -> None:
    error: BaseException | None = None
    try:
        for item in source:
            if not _put(item, waiting, stop):
                break
    except BaseException as raised:  # noqa: BLE001 - raised again where the items are asked for
        error = raised.with_traceback(None)  # its frames would keep the source, and its processes, alive
    _put(_End(error), waiting, stop)


def _put(item: T | _End, waiting: Queue[T | _End], stop: Event) -> bool:
    """Put an item into the buffer once there is room; return False when nobody wants it any more.

    A program that ends in the middle waits for this thread, which therefore looks whether it does.
    """
    while not stop.is_set() and main_thread().is_alive():
        try:
            waiting.put(item, timeout=_PAUSE)
        except Full:
            continue
        return True
    return False


def _drain(waiting: Queue[T | _End]) -> None:
    while not waiting.empty():
        waiting.get_nowait()
