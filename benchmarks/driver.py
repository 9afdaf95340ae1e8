"""What the driver of a very large build costs: its own code, without workers and data, at as many chunks as are wanted.

    python benchmarks/driver.py                                  1,000,000 chunks, 1,600 workers: some minutes
    python benchmarks/driver.py --chunks 60000                   4 TB of JSONL in 64 MiB chunks
    python benchmarks/driver.py --chunks 10000 --step gathering  one step alone, as JSON

Each step runs in a process of its own. The microseconds are those of the clock and those of the processor, which others
do not disturb; "memory" is how much the process grew at its peak, "MB" what was written or read. Receipts and ledgers
are made up in memory, so that the time is that of the driver and not of a disk or a store: the step "disk" says what a
folder of this machine adds. Counting lines and finding duplicates cost by the byte and by the row, not by the chunk:
they have options of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulated import CHUNK, MadeUpPlace, SimulatedEngine, chunks

from maskprep.build.commit import commit
from maskprep.build.gather import Gathered, gather, note_repeats, write_ledger
from maskprep.build.receipt import receipt_name
from maskprep.build.resume import Listing
from maskprep.build.row_writer import Choice, Tallies
from maskprep.build.run_chunks import run
from maskprep.build.work_folder import WORK, LocalWorkFolder
from maskprep.build.worker import Counts
from maskprep.config import load
from maskprep.dataset.files import Receipt
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.reader import FORMAT_VERSION, StoredDataSet
from maskprep.dataset.schema import Layout
from maskprep.examples.tally import Tally
from maskprep.progress import Progress
from maskprep.sources.feed import Feed
from maskprep.sources.parts import divide

_FILES = 1000  # that are really written


@dataclass
class Measured:
    """What a step cost: ``count`` things of a ``kind`` in ``seconds``, with so many bytes at hand at most."""

    step: str
    count: int
    kind: str = "chunk"
    seconds: float = 0.0
    processor: float = 0.0
    memory: int = 0
    bytes: int = 0
    more: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure what is done in the block."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is that of what follows
        before, begun, own = _status("VmRSS"), time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - begun
        self.processor += time.process_time() - own
        self.memory = _status("VmHWM") - before


def _status(name: str) -> int:
    """Return what Linux says of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def count_lines(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:
    """Read a file of JSONL to cut it, as the driver does; it is in the system's memory already."""
    source = folder / "rows.jsonl"
    block = (b'{"prompt":"' + b"a" * 1900 + b'","completion":"b"}\n') * 500
    with source.open("wb") as file:
        while file.tell() < options.mebibytes * 2**20:
            file.write(block)
    found = Measured("count lines", source.stat().st_size >> 20, "MiB", bytes=source.stat().st_size)
    with found.timed():
        divide(str(source), CHUNK)
    yield found


def plan(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:
    """Cut a file into chunks: as many as wanted, and small, so that it is not the bytes that cost."""
    source = folder / "rows.jsonl"
    row = b'{"prompt":"a","completion":"b"}'.ljust(63) + b"\n"
    with source.open("wb") as file:
        file.writelines(row * min(1000, options.chunks - done) for done in range(0, options.chunks, 1000))
    feed = Feed(load(None, {"sources": [str(source)], "tokenizer": "none"}))
    found = Measured("plan", options.chunks, bytes=source.stat().st_size)
    with found.timed():
        count = sum(1 for _ in feed.chunks(64))
    assert count == options.chunks, count
    yield found


def listing(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Ask which chunks are to be done: all of them, then none."""
    for step, done in (("list, none done", 0), ("list, all done", options.chunks)):
        found = Measured(step, options.chunks)
        with found.timed():
            waiting = Listing(MadeUpPlace(done), Progress()).waiting(chunks(options.chunks))
            assert sum(1 for _ in waiting) == options.chunks - done
        yield found


def loop(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Hand the chunks out to workers and hear of them."""
    engine = SimulatedEngine(options.workers, options.seconds)
    found = Measured(f"loop, {options.workers:,} workers", options.chunks)
    with found.timed():
        run(engine, lambda: lambda *_: Counts(), chunks(options.chunks), 2 * options.workers, Progress())
    found.processor = engine.spent
    found.more = {"busy": engine.spent / engine.lasted, "hours": engine.lasted / 3600}
    yield found


def _gathered(count: int, place: MadeUpPlace) -> Gathered:
    return gather(place, count, Tallies(Tally()), ("",))


def gathering(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:
    """Add up the receipts; then put the lines of the ledgers together."""
    place = MadeUpPlace(options.chunks, rows=1)
    size = len(place.read(receipt_name(0)))
    found = Measured("gather", options.chunks, bytes=options.chunks * size)
    with found.timed():
        gathered = _gathered(options.chunks, place)
    yield found
    ledger = Measured("findings, one each", options.chunks)
    with ledger.timed(), (folder / "findings.jsonl").open("wb") as file:
        write_ledger(place, gathered, "findings", file)
    ledger.bytes = (folder / "findings.jsonl").stat().st_size
    yield ledger


def duplicates(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Find the conversations that were there before: none, as it happens."""
    for part in (10, 1):
        count = options.rows // part // 10_000
        gathered = _gathered(count, MadeUpPlace(count))
        found = Measured("duplicates", 10_000 * count, "row", bytes=32 * 10_000 * count)
        with found.timed():
            note_repeats(MadeUpPlace(count, rows=10_000), gathered, Choice())
        yield found


def manifest(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:
    """Commit, and open what was committed."""
    receipts = _named(_gathered(options.chunks, MadeUpPlace(options.chunks)).shards[""])
    config = load(None, {"sources": ["rows.jsonl"], "tokenizer": "none"})
    described = {"format_version": FORMAT_VERSION, "fingerprint": "5c" * 32, "now": None, "stop_tokens": []}
    described |= {"config": config.described(), "totals": {"longest_sequence": 9}, "vocabulary": _WORDS}
    output = OutputFolder(str(folder / "out"))
    output.claim()
    output.tokenizer.mkdir()
    found = Measured("commit", options.chunks)
    with found.timed():
        commit(output, config, described, receipts, Layout(), None, lambda *_: None, "s3://a-bucket/out")  # type: ignore[arg-type]
    found.bytes = output.manifest.stat().st_size
    yield found
    seal = Measured("state.json", options.chunks, bytes=(output.path / "state.json").stat().st_size)
    with seal.timed():
        output.commit(receipts, "5c" * 32)
    yield seal
    read = Measured("open the data set", options.chunks, bytes=output.manifest.stat().st_size)
    with read.timed():
        data = StoredDataSet(str(output.path))
    assert len(data.shards) == options.chunks
    yield read


def _named(receipts: list[Receipt]) -> list[Receipt]:
    total = len(receipts)
    return [replace(each, file=f"data-{number:05d}-of-{total:05d}.arrow") for number, each in enumerate(receipts)]


_WORDS = {"added": 0, "added_special": 0, "rounded_size": 9, "size": 9, "pad_from": "tokenizer", "pad_token": "p"}


def disk(options: argparse.Namespace, folder: Path) -> Iterator[Measured]:  # noqa: ARG001
    """Do with real files what a folder of this machine is asked for."""
    (folder / WORK).mkdir(parents=True)
    place, data = LocalWorkFolder(str(folder)), MadeUpPlace(1).read(receipt_name(0))
    names = [receipt_name(number) for number in range(_FILES)]
    acts: dict[str, Callable[[], Any]] = {
        "disk: write a receipt": lambda: [place.write(name, data) for name in names],
        "disk: list": place.names,
        "disk: read a receipt": lambda: [place.read(name) for name in names],
        "disk: adopt a shard": lambda: [place.adopt(name, Path(name).name) for name in names],
        "disk: clear": place.clear,
    }
    for step, act in acts.items():
        found = Measured(step, _FILES, "file", bytes=len(data) * _FILES)
        with found.timed():
            act()
        yield found


STEPS = {each.__name__: each for each in (count_lines, plan, listing, loop, gathering, duplicates, manifest, disk)}


def main() -> int:
    """Print a table, or of one step JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1600)
    parser.add_argument("--seconds", type=float, default=60.0, help="that a worker takes for a chunk, about")
    parser.add_argument("--rows", type=int, default=10_000_000, help="among which duplicates are looked for")
    parser.add_argument("--mebibytes", type=int, default=1024, help="in which lines are counted")
    parser.add_argument("--step", choices=STEPS)
    options = parser.parse_args()
    if options.step:
        with tempfile.TemporaryDirectory() as folder:
            for found in STEPS[options.step](options, Path(folder)):
                print(json.dumps(vars(found)))
        return 0
    print(f"{'step':24}{'of':>18}{'seconds':>10}{'µs each':>10}{'processor':>10}{'memory MB':>11}{'MB':>8}")
    for step in STEPS:
        words = [sys.executable, __file__, *sys.argv[1:], "--step", step]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - ourselves
        for line in done.stdout.splitlines():
            found = Measured(**json.loads(line))
            things = f"{found.count:,} {found.kind}"
            each = "".join(f"{seconds / found.count * 1e6:>10.1f}" for seconds in (found.seconds, found.processor))
            more = "".join(f"  {name} {value:.3g}" for name, value in found.more.items())
            size = f"{found.memory / 1e6:>11,.0f}{found.bytes / 1e6:>8,.0f}"
            print(f"{found.step:24}{things:>18}{found.seconds:>10.2f}{each}{size}{more}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
