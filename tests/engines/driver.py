"""A program that runs an engine, to be interrupted and killed: prints what happens, one line each.

Usage: driver.py GATE WHAT WORKERS: each job ("jobs") or set-up ("set-up") waits for the file GATE, or never ends
("stuck"). A file named log, beside it, gets a line when one begins.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import made_up
from made_up import Numbers, Squares

from maskprep.engines import LocalEngine


def say(*words):
    print(*words, flush=True)


@dataclass(frozen=True)
class Gated(Squares):
    """Work that begins with a heartbeat and then waits; ``what`` says for what."""

    gate: Path = Path()
    what: str = "jobs"

    def __call__(self):
        if self.what == "set-up":
            self.note()
            self.wait()
        return self.work

    def work(self, job, heartbeat):
        heartbeat("begun")
        self.note()
        if self.what == "jobs":
            self.wait(lambda: heartbeat("waiting"))
        elif job.start % 2:
            made_up.stuck_in_c()
        else:
            made_up.hung()
        return super().work(job, heartbeat)

    def note(self):
        with self.log.open("a") as file:
            file.write("begun\n")

    def wait(self, between=lambda: None):
        while not self.gate.exists():
            between()
            time.sleep(0.01)


def main(gate, what, workers):
    setup = Gated(gate=gate, what=what, log=gate.with_name("log"))
    jobs = (Numbers(number, number + 1) for number in count())
    engine = LocalEngine(int(workers), preload=("made_up",))
    told = set()

    def progress(job, value):
        caught = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
        word = "asked" if workers == "0" and caught.asked else f"begun {job.start}"
        if word not in told:
            told.add(word)
            say(word)

    def stopping(jobs):
        say("stopping", jobs)

    try:
        for outcome in engine.run(setup, jobs, window=4, progress=progress, stopping=stopping):
            say("done", outcome.job.start)
    except KeyboardInterrupt:
        say("interrupted")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
