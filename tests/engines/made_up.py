"""Made-up jobs for the engines: ranges of numbers, some of which do dreadful things to the worker that meets them."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from maskprep.engines import Cause
from maskprep.errors import BuildError, MaskprepError


@dataclass(frozen=True)
class Numbers:
    """The numbers from ``start`` to before ``stop``, less those to skip."""

    start: int
    stop: int
    skip: tuple[int, ...] = ()
    part: bool = False

    def divided(self, at):
        if self.stop - self.start < 2:
            return ()
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle, part=True), replace(self, start=middle, part=True)

    def without(self, failed):
        skip = tuple(sorted({*self.skip, *(job.start for job in failed)}))
        return replace(self, skip=skip) if len(skip) < self.stop - self.start else None

    def numbers(self):
        return [number for number in range(self.start, self.stop) if number not in self.skip]


@dataclass(frozen=True)
class Located(Numbers):
    """Numbers that are divided at the last heartbeat."""

    def divided(self, at):
        if at is None or self.stop - self.start < 2:
            return super().divided(at)
        borders = sorted({self.start, at, at + 1, self.stop})
        return tuple(replace(self, start=start, stop=stop, part=True) for start, stop in pairwise(borders))


class ThreeArguments(MaskprepError):
    """An exception that cannot be unpickled: its arguments are not those of its class."""

    def __init__(self, one, two, three):
        super().__init__(f"{one} {two} {three}", "count again")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def greedy():
    held = []
    while True:
        held.append(bytearray(16 * 2**20))


def hung():
    time.sleep(3600)


def stuck_in_c():
    re.match(r"(a|a)*$", "a" * 60 + "b")  # holds the interpreter's lock for longer than anybody lives


def raising():
    raise ValueError("row\nof doom")


def refusing():
    raise BuildError("the disk is full", "free some space", {"free": 0})


def unpicklable():
    raise ThreeArguments(1, 2, 3)


def leaving():
    sys.exit(3)


@dataclass(frozen=True)
class Squares:
    """Set-up of work that squares numbers; ``traps`` by number. ``log``: a file that gets a line for each that is met.

    ``once``: a trap is harmless after the first time.
    """

    traps: tuple[tuple[int, Callable], ...] = ()
    log: Path | None = None
    once: bool = False
    result: Callable = tuple

    def __call__(self):
        return self.work

    def work(self, job, heartbeat):
        squares = []
        for number in job.numbers():
            heartbeat(number)
            for trap, act in self.traps:
                if trap == number and self.met(number, job):
                    act()
            squares.append(number * number)
        return self.result(squares)

    def met(self, number, job):
        before = self.log.read_text() if self.log and self.log.exists() else ""
        if self.log:
            with self.log.open("a") as file:
                file.write(f"{number} {job.start} {job.stop}\n")
        return not (self.once and f"{number} " in before)


@dataclass(frozen=True)
class Naps(Squares):
    """Squares, slowly: each job takes ``seconds`` more."""

    seconds: float = 0.05

    def work(self, job, heartbeat):
        time.sleep(self.seconds)
        return super().work(job, heartbeat)


@dataclass(frozen=True)
class Doomed(Squares):
    """Squares of which the first job waits for ``gate``, has a result that no pipe holds, and one second to send it.

    ``log`` gets a line for each try; the second has time enough.
    """

    gate: Path = Path()

    def work(self, job, heartbeat):
        if job.start:
            return super().work(job, heartbeat)
        with self.log.open("a") as file:
            file.write("begun\n")
        if not self.gate.exists():
            while not self.gate.exists():
                time.sleep(0.01)
            signal.alarm(1)
        return bytes(2**22)


@dataclass(frozen=True)
class BadStart:
    """A set-up that fails in some way. ``log`` gets a line for each start; ``good``: the start that succeeds."""

    act: Callable
    log: Path
    good: int = 0

    def __call__(self):
        with self.log.open("a") as file:
            file.write("start\n")
        if len(self.log.read_text().splitlines()) != self.good:
            self.act()
        return Squares().work


def lambda_result(_):
    return lambda: None


def ranges(count, size=10):
    return [Numbers(number * size, (number + 1) * size) for number in range(count)]


def check(outcomes, jobs, failed=None):
    """Assert that each job has one outcome, that ``failed`` (number -> cause) failed, and that all else was done."""
    failed = failed or {}
    assert Counter(outcome.job for outcome in outcomes) == Counter(jobs)
    assert {f.job.start: f.cause for outcome in outcomes for f in outcome.failed} == failed
    for outcome in outcomes:
        done = [number for number in outcome.job.numbers() if number not in failed]
        assert outcome.result == (tuple(number * number for number in done) if done else None)
        assert len(outcome.failed) == len(outcome.job.numbers()) - len(done)
    assert all(isinstance(f.cause, Cause) and f.detail for outcome in outcomes for f in outcome.failed)
