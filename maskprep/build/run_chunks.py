"""Chunks given to workers, and the progress that is shown meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from maskprep.build.worker import Counts
from maskprep.config import Config
from maskprep.engines import LocalEngine, RayEngine, available_workers
from maskprep.engines.job import Engine, Setup
from maskprep.policy import EngineName
from maskprep.progress import Progress
from maskprep.sources.chunk import Chunk
from maskprep.tokenizer.load import needs_torch

_SMALL = 8 * 2**20  # bytes: more processes would take longer to start than one takes to do the work
_AHEAD = 2  # chunks that wait for a worker, for each of them
_PRELOAD = ("maskprep.build.worker", "transformers.models.auto.tokenization_auto", "fastokens", "pyarrow.ipc")


def engine_of(config: Config, total: int | None) -> tuple[Engine, int]:
    """Return who does the work, and how many chunks may be on their way at a time.

    Without a word about ``workers``, little and what is piped in is done in this process; else every processor works.
    """
    patience, memory = config.worker_seconds, config.worker_memory
    if config.engine == EngineName.RAY:
        return RayEngine(config.ray_address, config.workers, patience, memory), _AHEAD * (config.workers or 64)
    workers = config.workers
    if workers is None:
        workers = available_workers() if total is not None and total >= _SMALL else 0
    preload = _PRELOAD if needs_torch(config.tokenizer) else ("maskprep.build.preload", *_PRELOAD)
    return LocalEngine(workers, patience, memory, preload), max(_AHEAD * workers, 1)


class _Sum:
    """Adds up what was done, and tells it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._all = Counts()
        self._open: dict[int, Counts] = {}

    def heartbeat(self, chunk: Chunk, value: Any) -> None:
        """Add the counts of a heartbeat."""
        if chunk.only is None:
            _, counts = value
            self._tell(chunk, counts)
            self._open[chunk.number] = counts

    def finished(self, chunk: Chunk, counts: Counts) -> None:
        """Note that a chunk is done."""
        self._progress.advance(chunk.size)
        self._tell(chunk, counts)
        self._open.pop(chunk.number, None)

    def _tell(self, chunk: Chunk, counts: Counts) -> None:
        """Count these instead of what the chunk counted before: the others are not added up anew, they may be many."""
        before = self._open.get(chunk.number, Counts())
        self._all = _less(self._all + counts, before)
        self._progress.count(rows=self._all.rows, tokens=self._all.tokens, rejected=self._all.rejected)


def _less(counts: Counts, other: Counts) -> Counts:
    return Counts(
        counts.rows - other.rows,
        counts.used - other.used,
        counts.rejected - other.rejected,
        counts.tokens - other.tokens,
    )


def run(engine: Engine, setup: Setup[Chunk, Counts], chunks: Iterable[Chunk], window: int, progress: Progress) -> None:
    """Have all chunks done.

    Raises:
        MaskprepError: what a worker raised.
        KeyboardInterrupt: the user wants it to end; what was begun is done, unless that was said twice.
    """
    done = _Sum(progress)
    outcomes: Iterator[Any] = engine.run(
        setup, chunks, window=window, progress=done.heartbeat, stopping=progress.stopping
    )
    with closing(outcomes):  # type: ignore[type-var]  # a generator
        for outcome in outcomes:
            done.finished(outcome.job, outcome.result)
