"""Several requests under way, one answer after the other: an object store takes its time for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 32


def several(act: Callable[[T], R], items: Iterable[T], most: int = _AT_ONCE) -> Iterator[R]:
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
