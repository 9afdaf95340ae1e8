"""Several requests under way at a time, their answers in order: an object store takes its time for each.

``Ahead`` reads bytes on while what was read is worked on; ``several`` has any calls made.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FIRST, _MOST = 1 << 20, 8 << 20  # bytes of a request: of the first, since often only a file's head is wanted; of later
_AT_ONCE = 4  # requests under way at most; so many blocks are held


class Ahead(io.RawIOBase):
    """Bytes ``start:end`` of an object or file, to be read once from first to last.

    ``fetch`` returns a number of bytes from a place on; it is called from several threads.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], start: int, end: int) -> None:
        """Name the bytes; the first request is made by the first read."""
        super().__init__()
        self._fetch, self._asked, self._end = fetch, start, end
        self._waiting: deque[Future[bytes]] = deque()
        self._held = memoryview(b"")
        self._size, self._window = _FIRST, 1
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ahead")

    def readable(self) -> bool:
        """Return True: the bytes can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer from the block at hand, and return the number of bytes; 0 at the end."""
        if not self._held:
            self._held = memoryview(self._next())
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._held))
        view[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def close(self) -> None:
        """Close without waiting for the requests under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _next(self) -> bytes:
        while len(self._waiting) < self._window and self._asked < self._end:
            size = min(self._size, self._end - self._asked)
            self._waiting.append(self._pool.submit(self._fetch, self._asked, size))
            self._asked += size
            self._size = min(2 * self._size, _MOST)
        self._window = min(self._window + 1, _AT_ONCE)
        return self._waiting.popleft().result() if self._waiting else b""


T = TypeVar("T")
R = TypeVar("R")

_CALLS = 32


def several(act: Callable[[T], R], items: Iterable[T], most: int = _CALLS) -> Iterator[R]:
    """Yield what ``act`` returns for each item, in order; at most ``most`` results are there or under way at a time.

    Raises what ``act`` raises, in its turn.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(most, thread_name_prefix="several") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(act, item))
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
