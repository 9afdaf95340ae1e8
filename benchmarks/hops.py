"""How far a row goes: the functions that it enters and the files that it hops through, in a build of one process.

    python benchmarks/hops.py [--tokenizer sample_data/tokenizer] [--rows 80] [--list 3]

Rows of one form are made up, two turns each with texts of their own, so that the third row is proved by what was learnt
of the first two. Everything that happens between two heartbeats is put down to the row that the first of them names: a
row that is finished together with others is named no more, and the last row of a batch bears what is done for all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

import maskprep
from maskprep.build.work_folder import LocalWorkFolder
from maskprep.build.worker import BuildTask, Worker
from maskprep.config import load
from maskprep.examples.inputs import look_at

_ROOT = str(Path(maskprep.__file__).parent)


class Tracer:
    """Notes the calls into maskprep, by the row that is being worked on."""

    def __init__(self) -> None:
        self.row = 0  # the number of the line that is being worked on
        self.calls: dict[int, list[tuple[str, str]]] = defaultdict(list)

    def beat(self, value: tuple[int, Any]) -> None:
        """Take a heartbeat: from here on, what is called belongs to this row."""
        self.row = value[0]

    def profile(self, frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG002
        """Note a call."""
        if event == "call" and frame.f_code.co_filename.startswith(_ROOT):
            self.calls[self.row].append((frame.f_code.co_filename[len(_ROOT) + 1 :], frame.f_code.co_qualname))


def chat(number: int) -> list[dict[str, str]]:
    """Return the messages of a row."""
    turns = [(f"Question {number}.{turn}?", f"Answer {number * 7}, {turn}.") for turn in range(2)]
    return [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


def main() -> None:
    """Print how far the first, the third, the 64th row and the last one of the first batch went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--tokenizer", default="sample_data/tokenizer")
    parser.add_argument("--list", type=int, help="print the files of this row")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rows.jsonl")
        source.write_bytes(b"".join(orjson.dumps({"messages": chat(number)}) + b"\n" for number in range(wanted.rows)))
        tracer = trace(source, Path(folder), wanted.tokenizer)
    for row in (1, 3, 50, 64):
        calls = tracer.calls[row]
        files = [file for file, _ in calls]
        hops = sum(one != two for one, two in pairwise(files))
        entered = f"{len(calls):6,} functions entered ({len(set(calls)):,} different)"
        print(f"row {row:3}: {entered} in {len(set(files)):3} files, {hops:6,} hops")
    if wanted.list:
        print(*dict.fromkeys(file for file, _ in tracer.calls[wanted.list]), sep="\n")


def trace(source: Path, folder: Path, tokenizer: str) -> Tracer:
    """Return the calls of a worker that does all rows of a file in one chunk."""
    config = load(None, {"sources": [str(source)], "tokenizer": tokenizer, "output": str(folder / "out")}, [])
    inputs = look_at(config)
    chunk = next(iter(inputs.feed.chunks(2**30)))
    work = folder / "work"
    (work / "maskprep/work").mkdir(parents=True)
    task = BuildTask(config, LocalWorkFolder(work), ("",))
    tracer = Tracer()
    worker = Worker(task, inputs.preparer)
    sys.setprofile(tracer.profile)
    try:
        worker(chunk, tracer.beat)
    finally:
        sys.setprofile(None)
    return tracer


if __name__ == "__main__":
    main()
