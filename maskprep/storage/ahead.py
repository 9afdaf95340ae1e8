"""Several requests under way at a time, their answers in order: an object store takes its time for each.

``several`` has any calls made; ``Ahead`` reads bytes with it, while what was read is worked on.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CALLS = 32
_FIRST, _MOST = 1 << 20, 8 << 20  # bytes of a request: of the first, since often only a file's head is wanted; of later
_AT_ONCE = 4  # requests under way at most; so many blocks are held

T = TypeVar("T")
R = TypeVar("R")


def several(
    act: Callable[[T], R], items: Iterable[T], most: int = _CALLS, first: int | None = None, *, wait: bool = True
) -> Generator[R]:
    """Yield what ``act`` returns for each item, in order; at most ``most`` results are there or under way at a time.

    With ``first``, at most so many are before the first result is taken, and one more with each. Where the iteration is
    given up, calls under way are waited for unless ``wait`` is false. Raises what ``act`` raises, in its turn.
    """
    waiting: deque[Future[R]] = deque()
    window = first or most
    pool = ThreadPoolExecutor(most, thread_name_prefix="several")
    try:
        for item in items:
            waiting.append(pool.submit(act, item))
            if len(waiting) >= window:
                yield waiting.popleft().result()
                window = min(window + 1, most)
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


class Ahead(io.RawIOBase):
    """Bytes ``start:end`` of an object or file, to be read once from first to last.

    ``fetch`` returns a number of bytes from a place on; it is called from several threads.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], start: int, end: int) -> None:
        """Name the bytes; the first request is made by the first read."""
        super().__init__()
        self._blocks = several(lambda asked: fetch(*asked), _requests(start, end), _AT_ONCE, first=1, wait=False)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Return True: the bytes can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer from the block at hand, and return the number of bytes; 0 at the end."""
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._held))
        view[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def close(self) -> None:
        """Close without waiting for the requests under way."""
        self._blocks.close()
        super().close()


def _requests(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each request begins and how many bytes it asks for."""
    size = _FIRST
    while start < end:
        yield start, min(size, end - start)
        start += size
        size = min(2 * size, _MOST)
