"""The Python API beside the command: the same rows, and at what price.

    python benchmarks/in_memory.py equal ROWS.jsonl … --tokenizer FOLDER [--rows N]
    python benchmarks/in_memory.py map ROWS.jsonl --tokenizer FOLDER [--rows N]
    python benchmarks/in_memory.py one --tokenizer FOLDER
    python benchmarks/in_memory.py loader ROWS.jsonl --tokenizer FOLDER [--workers N] [--steps N]

``equal`` builds each file with each history, and makes the same rows with ``Masker.many``: ids, labels, spans, and the
codes of rejected rows must be equal. ``map`` compares the CPU time of ``Masker.map`` with that of preparing and writing
the same rows as a worker of a build does. ``one`` measures a plain chat of eight messages, warm. ``loader`` takes
batches of ``RawLoader`` as a training of 50 ms a step of 32,768 tokens would, and prints how long it waits for them.
"""

# ruff: noqa: PLC0415 - each part imports what it measures

from __future__ import annotations

import argparse
import gzip
import io
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import maskprep
from maskprep.policy import History

CHAT = [
    {"role": "user", "content": "What is the capital of France, please?"},
    {"role": "assistant", "content": "It is Paris, of course."},
] * 4


def rows_of(path: Path, most: int | None) -> Iterator[bytes]:
    """Yield the lines of a file, compressed or not."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        yield from islice(file, most)


def equal(paths: list[Path], tokenizer: str, most: int | None) -> None:
    """Print a line for each file and history."""
    print("| data | history | rows | sequences | rejected | equal |")
    print("|---|---|---|---|---|---|")
    for path in paths:
        for history in History:
            print(_compared(path, tokenizer, history, most), flush=True)


def _compared(path: Path, tokenizer: str, history: History, most: int | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        lines = list(rows_of(path, most))
        source = Path(folder, "rows.jsonl")
        source.write_bytes(b"".join(lines))
        settings: dict[str, Any] = {"history": str(history), "max_rejects": 1.0}
        try:
            maskprep.build(sources=source, tokenizer=tokenizer, output=f"{folder}/out", workers=0, **settings)
        except maskprep.BuildError as error:
            return f"| {path.name} | {history} | {len(lines)} | - | all | {str(error)[:60]!r} |"
        built = maskprep.open(f"{folder}/out")
        wanted = {built.origin(n)[1:]: _columns(built[n]) for n in range(len(built))}
        made = maskprep.Masker(tokenizer, **settings).many(map(json.loads, lines))
        used = [each for each in made if isinstance(each, maskprep.Example)]
        found = {(each.row + 1, s.sequence): _columns(s) for each in used for s in each.sequences}
        codes = {each.row + 1: each.code for each in made if isinstance(each, maskprep.Rejected)}
        same = found == wanted and codes == {each["line"]: each["code"] for each in built.rejects}
    return f"| {path.name} | {history} | {len(lines)} | {len(wanted)} | {len(codes)} | {same} |"


def _columns(example: maskprep.Example) -> Any:
    tree = example.position_ids.tolist() if example.is_tree else None
    return example.input_ids.tolist(), example.labels.tolist(), example.spans, tree


def map_price(path: Path, tokenizer: str, count: int) -> None:
    """Print the CPU seconds of both ways on so many rows, those of the file again and again."""
    from datasets import Dataset

    from maskprep.build.ledgers import Ledgers
    from maskprep.build.row_writer import Choice, RowWriter
    from maskprep.dataset.files import ShardWriter

    lines = list(islice(cycle(list(rows_of(path, None))), count))
    data = Dataset.from_list([{"messages": json.loads(line)["messages"]} for line in lines])
    plain = [json.dumps(row).encode() for row in data]  # as the data set has them: with nulls where a key is not there
    masker = maskprep.Masker(tokenizer, history="rendered", max_rejects=1.0)
    began = time.process_time()
    mapped = masker.map(data)
    api = time.process_time() - began
    from maskprep.conversation import Where
    from maskprep.formats import Line
    from maskprep.memory.masker import RowMasker

    rows = RowMasker(tokenizer, {"history": "rendered"})
    rows.speed_up()
    with tempfile.TemporaryDirectory() as folder:
        shards = ShardWriter(Path(folder), 256_000_000)
        sink = Ledgers(io.StringIO(), io.StringIO(), io.StringIO())
        writer = RowWriter(rows.preparer, Choice(), {"": shards}, sink)
        began = time.process_time()
        told = (Line(Where("rows", number, 0), line) for number, line in enumerate(plain, 1))
        for made in rows.preparer.prepared(told):
            writer.write(made)
        shards.close()
        command = time.process_time() - began
    print(
        f"{count:,} rows: map {api:.1f} s of CPU, preparing and writing as a build {command:.1f} s: {api / command:.2f}"
    )
    assert mapped.num_rows == writer.tallies.whole.sequences


def one(tokenizer: str) -> None:
    """Print the CPU milliseconds of a plain chat, warm."""
    masker = maskprep.Masker(tokenizer)
    times = []
    for _ in range(30):
        began = time.process_time()
        for _ in range(50):
            masker(CHAT)
        times.append((time.process_time() - began) * 20)
    print(f"a chat of {len(CHAT)} messages: median {statistics.median(times):.2f} ms, least {min(times):.2f} ms of CPU")


def loader(path: Path, tokenizer: str, workers: int, steps: int) -> None:
    """Print how long a step of 50 ms waits for its 32,768 tokens."""
    from maskprep.collate import RawLoader

    rows = [json.loads(line) for line in rows_of(path, None)]
    masker = maskprep.Masker(tokenizer, history="rendered", max_length=4096, overflow="reject", max_rejects=1.0)
    batches = RawLoader(masker, rows, length=4096, batch_size=8, workers=workers, endless=True, look_ahead=8)
    waits, tokens = list[float](), list[int]()
    began = 0.0
    stream = iter(batches)
    for step in range(steps + _WARM):
        asked = time.perf_counter()
        batch = next(stream)
        if step >= _WARM:
            waits.append((time.perf_counter() - asked) * 1000)
            tokens.append(batch["input_ids"].numel())
        else:
            began = time.perf_counter()
        time.sleep(0.05)
    rate, lost = sum(tokens) / (time.perf_counter() - began), sum(waits) / (sum(waits) + 50 * steps)
    print(f"{steps:,} steps of {statistics.mean(tokens):,.0f} tokens, {workers} workers: {rate:,.0f} tokens/s")
    print(f"waits in ms: median {statistics.median(waits):.2f}, longest {max(waits):.0f}; time lost by them {lost:.1%}")


_WARM = 100  # steps before it counts: workers start, templates are learnt


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["equal", "map", "one", "loader"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    if options.what == "equal":
        equal(options.files, options.tokenizer, options.rows)
    elif options.what == "map":
        map_price(options.files[0], options.tokenizer, options.rows or 100_000)
    elif options.what == "loader":
        loader(options.files[0], options.tokenizer, options.workers, options.steps)
    else:
        one(options.tokenizer)


if __name__ == "__main__":
    main()
