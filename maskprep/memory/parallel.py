"""Rows prepared by worker processes, in their order, with a bounded number of them on the way."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from maskprep.errors import BuildError, UsageError
from maskprep.formats import Line
from maskprep.memory.example import Example, Rejected
from maskprep.memory.masker import RowMasker

T = TypeVar("T")

_ROWS = 1000  # that a worker is given at a time: enough for it to take a fast tokenizer
_WAITING = 2  # such batches a worker, on the way and waiting


def in_workers(
    masker: RowMasker,
    lines: Iterable[Line],
    work: Callable[[RowMasker, Sequence[Line]], T],
    workers: int,
    start_method: str | None,
) -> Iterator[T]:
    """Yield what ``work`` makes of the lines, some hundred at a time, in their order.

    Args:
        masker: is made again in each worker.
        lines: the rows.
        work: a function of a module: only its name travels.
        workers: how many processes; 0 does it here.
        start_method: how they are started: ``fork``, ``spawn`` or ``forkserver``; None: Python's default.

    Raises:
        BuildError: a worker was killed, or ran out of memory.
        UsageError: the tokenizer cannot be handed to another process.
    """
    batches = _batches(lines)
    if not workers:
        yield from (work(masker, batch) for batch in batches)
        return
    context = multiprocessing.get_context(start_method)
    with ProcessPoolExecutor(workers, context, _begin, (masker,)) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for batch in islice(batches, _WAITING * workers):
                waiting.append(pool.submit(_run, work, batch))
            while waiting:
                made = waiting.popleft().result()
                for batch in islice(batches, 1):
                    waiting.append(pool.submit(_run, work, batch))
                yield made
        except BrokenProcessPool as error:
            hint = "give workers more memory, drop very long rows (max_row_bytes), or use workers=0; "
            hint += "maskprep.build finds and rejects a row that no worker survives"
            raise BuildError("a worker process ended before its rows were done", hint) from error
        except (TypeError, AttributeError) as error:
            if "pickle" not in str(error):
                raise
            msg = f"the tokenizer cannot be handed to another process: {error}"
            raise UsageError(msg, "give its folder or hub id instead, or workers=0") from error
        finally:
            for each in waiting:
                each.cancel()


def examples_of(masker: RowMasker, lines: Sequence[Line]) -> list[Example | Rejected]:
    """Return what some lines become."""
    return list(masker.examples(lines))


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    rest = iter(lines)
    while batch := list(islice(rest, _ROWS)):
        yield batch


_here: list[RowMasker] = []  # of a worker: the one that it was begun with


def _begin(masker: RowMasker) -> None:
    _here[:] = [masker]


def _run(work: Callable[[RowMasker, Sequence[Line]], Any], batch: Sequence[Line]) -> Any:
    return work(_here[0], batch)
