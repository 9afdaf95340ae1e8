"""A build without its workers and its data: what ``driver.py`` gives the driver's own code instead of them.

Receipts and ledgers are made up by their number when they are asked for, and the clock of the workers jumps to the next
moment at which one of them says something: what remains is the driver's own time.
"""

from __future__ import annotations

import hashlib
import heapq
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from maskprep.build.ledgers import note
from maskprep.build.receipt import ChunkReceipt, ledger_name, receipt_name, shard_name
from maskprep.build.row_writer import Tallies
from maskprep.build.worker import Counts
from maskprep.conversation import Where
from maskprep.dataset.files import Receipt
from maskprep.engines.drive import Terms, drive
from maskprep.engines.events import Alive, Event, Finished, HeartbeatSent, Ready
from maskprep.engines.job import Outcome, Progress, Setup, Stopping, ignore
from maskprep.examples.tally import Noticed, Tally
from maskprep.formats import Reading
from maskprep.sources import Kind
from maskprep.sources.chunk import Chunk, InputFile
from maskprep.sources.part import SourcePart

CHUNK = 64 * 2**20  # bytes
FILE = "s3://a-bucket/conversations/2026-11/part-00017-of-04096.jsonl"
_LOOK = 0.5  # seconds between two looks at the heartbeats, as a cluster's pool has it
_MARK = 7_777_777  # stands for the number of a chunk in what is made up
_ROWS, _TOKENS = 30_000, 16_000_000  # of a chunk
_FIRST = 1_000_000  # of these numbers, which have as many digits
_LEDGERS = ("rejects", "findings", "digests")


def chunks(count: int) -> Iterator[Chunk]:
    """Yield ``count`` chunks as the plan of a large build has them, 16 to a file."""
    reading = Reading("openai")
    for number in range(count):
        own = number % 16
        if not own:
            name = FILE.replace("00017", f"{number // 16:05d}")
            file, facts = InputFile(name, 0, number // 16), (16 * CHUNK, "an-etag-of-32-characters-or-so-00", "today")
        part = SourcePart(name, Kind.JSONL, own * CHUNK, (own + 1) * CHUNK, 1 + own * _ROWS, CHUNK, name, facts)
        yield Chunk(number, file, name, Kind.JSONL, reading, 1.0, 0, CHUNK, part)


def _receipt() -> bytes:
    """Return a receipt of the size that a chunk of chat leaves."""
    roles, parts = ("system", "user", "assistant", "tool", "template"), ("content", "scaffold")
    kinds = list(product(roles, parts))
    noticed = {code: Noticed(_ROWS, Where(FILE, _MARK, 5 * _MARK), "said of a row " * 6, "") for code in ("one", "two")}
    tally = Tally(
        *(_ROWS, 12, 0, _ROWS, _TOKENS, _TOKENS // 3, 0, 31_234),
        Counter(dict.fromkeys(kinds, _TOKENS // len(kinds))),
        Counter(dict.fromkeys(kinds, _TOKENS // len(kinds) // 3)),
        {"too-long": Noticed(12, Where(FILE, _MARK, 5 * _MARK), "said of a row " * 6, "what to do " * 8)},
        noticed,
    )
    first, last = Where(FILE, _MARK, 5 * _MARK), Where(FILE, _MARK, 9 * _MARK)
    shard = Receipt(shard_name("", _MARK, 0), _ROWS, _TOKENS, _TOKENS // 3, 9 * _TOKENS, "5c" * 32, first, last, _ROWS)
    ledgers = {name: ledger_name(_MARK, name) for name in _LEDGERS}
    weighted, nothing, tallies = False, hashlib.sha256().hexdigest(), Tallies(tally)
    return ChunkReceipt(_MARK, 0, 17, FILE, _ROWS, _ROWS, weighted, nothing, {"": (shard,)}, ledgers, tallies).dumps()


class MadeUpPlace:
    """A place in which ``count`` chunks are done: see ``Place``. ``rows`` is how many digests and findings each has."""

    def __init__(self, count: int, rows: int = 0) -> None:
        """Make up nothing yet but what all chunks have in common."""
        self.count, self.rows = count, rows
        self._receipt = _receipt()
        self._finding = note(Where(FILE, _MARK, 5 * _MARK), "one", "said of a row " * 6).encode()
        self._random = np.random.default_rng(0)

    def read(self, name: str) -> bytes:
        """Return a receipt or a ledger, by its name."""
        stem, _, ledger = name.removesuffix(".json").rpartition("/")[2].removeprefix("chunk-").partition("-")
        if ledger == "digests":
            return self._random.bytes(32 * self.rows)
        made = self._finding * self.rows if ledger else self._receipt
        return made.replace(b"%d" % _MARK, b"%d" % (_FIRST + int(stem)))

    def names(self) -> dict[str, int]:
        """Return the names of what all chunks left."""
        found = {}
        for number in range(self.count):
            found[receipt_name(number)] = len(self._receipt)
            found[shard_name("", _FIRST + number, 0)] = 9 * _TOKENS
            for name in _LEDGERS:
                found[ledger_name(_FIRST + number, name)] = 32 * self.rows
        return found

    def adopt(self, name: str, final: str) -> None:
        """Do nothing."""

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Refuse: nothing is written here."""
        raise NotImplementedError
        yield

    def publish(self, files: Any) -> None:
        """Refuse: nothing is written here."""
        raise NotImplementedError

    def write(self, name: str, data: bytes) -> None:
        """Refuse: nothing is written here."""
        raise NotImplementedError

    def local(self, name: str) -> Path:
        """Refuse: nothing is written here."""
        raise NotImplementedError

    def clear(self) -> None:
        """Do nothing."""


class SimulatedEngine:
    """An engine whose ``workers`` take ``seconds`` for a chunk, more or less; see ``Engine``.

    Afterwards ``spent`` is how long the driver was at work (seconds), ``lasted`` how long the build would have taken.
    """

    def __init__(self, workers: int, seconds: float) -> None:
        self.limit, self._seconds = workers, seconds
        self.spent = self.lasted = 0.0
        self._left = time.process_time()
        self._look = _LOOK
        self._random = random.Random(0)  # noqa: S311 - no secret
        self._new: list[tuple[int, Event]] = []
        self._ends: list[tuple[float, int]] = []
        self._busy: dict[int, float] = {}  # since when

    def run(
        self,
        setup: Setup[Any, Any],  # noqa: ARG002 - there is nothing to set up
        jobs: Iterable[Any],
        *,
        window: int,
        progress: Progress[Any] | None = None,
        stopping: Stopping | None = None,
    ) -> Iterator[Outcome[Any, Any]]:
        """Yield the outcome of each job; see ``Engine.run``."""
        self._left = time.process_time()
        return drive(self, jobs, Terms(window, 300.0, progress or ignore, stopping or ignore))

    def start(self, number: int) -> None:
        """Have a worker that is ready at once."""
        self._new += [(number, Alive()), (number, Ready())]

    def give(self, number: int, job: Any, *, every_heartbeat: bool) -> None:  # noqa: ARG002 - nothing fails here
        """Begin a chunk."""
        self._busy[number] = self.lasted
        heapq.heappush(self._ends, (self.lasted + self._seconds * self._random.uniform(0.5, 1.5), number))

    def stop(self, number: int) -> None:
        """Refuse: no worker is lost here."""
        raise NotImplementedError

    def events(self, timeout: float) -> list[tuple[int, Event]]:  # noqa: ARG002 - waiting takes no time here
        """Return what was said since the last call; if nothing was, go on to the moment when something is."""
        own = time.process_time() - self._left
        self.spent += own
        self.lasted += own
        told, self._new = self._new, []
        if not told and self._ends:
            self.lasted = max(self.lasted, min(self._look, self._ends[0][0]))
        if self.lasted >= self._look:
            self._look = self.lasted + _LOOK
            told += [(number, HeartbeatSent((1, _so_far(self.lasted - since)))) for number, since in self._busy.items()]
        while self._ends and self._ends[0][0] <= self.lasted:
            _, number = heapq.heappop(self._ends)
            del self._busy[number]
            told.append((number, Finished(Counts(_ROWS, _ROWS, 12, _TOKENS))))
        self._left = time.process_time()
        return told

    def close(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""


def _so_far(seconds: float) -> Counts:
    rows = int(500 * seconds)
    return Counts(rows, rows, 0, 500 * rows)
