"""What trees cost, and what they train: tokens of ``split`` and ``tree`` against one rendering of each conversation.

    python benchmarks/trees.py ROWS.jsonl … --tokenizer FOLDER … [--rows N] [--max-length N]

For each file and tokenizer it prints how many times the tokens of the whole conversations either way takes, the tokens
that each trains, which must be the same ones, and the CPU time of making either.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from maskprep.conversation import Where
from maskprep.examples import Preparer
from maskprep.examples.history_cost import Cost
from maskprep.formats import Line
from maskprep.policy import BackendChoice, History, Overflow, Policy
from maskprep.tokenizer.backend import choose_backend
from maskprep.tokenizer.load import load_tokenizer

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lines_of(path: Path, most: int | None) -> Iterator[Line]:
    """Yield the first rows of a file of JSON lines, compressed or not."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, data in enumerate(islice(file, most), 1):
            yield Line(Where(str(path), number, 0), data.rstrip(b"\n"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--tokenizer", nargs="+", required=True)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--max-length", type=int)
    options = parser.parse_args()
    print("| data | tokenizer | rows | split | tree | trained by split | by tree | CPU s: prove, split, tree |")
    print("|---|---|---|---|---|---|---|---|")
    for path in options.files:
        for tokenizer in options.tokenizer:
            print(line(path, tokenizer, options.rows, options.max_length))


def line(path: Path, tokenizer: str, most: int | None, limit: int | None) -> str:
    """Return the line of the table for a file and a tokenizer."""
    loaded = load_tokenizer(tokenizer)
    policy = Policy(max_length=limit, overflow=Overflow.SPLIT if limit else Overflow.REJECT)
    preparer = Preparer(loaded, now=_NOW, policy=policy, backend=choose_backend(loaded.tokenizer, BackendChoice.AUTO))
    preparer.backend.load()
    costs = {history: Cost() for history in (History.SPLIT, History.TREE)}
    seconds = dict.fromkeys(("prove", *costs), 0.0)
    whole, began = 0, time.process_time()
    for rows in preparer.proved(lines_of(path, most)):
        seconds["prove"] += time.process_time() - began
        proved = [row.proved for row in rows if row.proved is not None]
        whole += sum(len(preparer.encoder.ids(each.whole.text)) for each in proved)
        for history, cost in costs.items():
            began = time.process_time()
            for row in preparer.finish_rows([replace(row) for row in rows], history):
                if row.made is not None:
                    cost.add(row.made)
            seconds[history] += time.process_time() - began
        began = time.process_time()
    split, tree = costs.values()
    times = " ".join(f"{spent:.1f}" for spent in seconds.values())
    return (
        f"| {path.name.partition('.')[0]} | {Path(tokenizer).name} | {split.rows} | {split.tokens / max(whole, 1):.2f} "
        f"| {tree.tokens / max(whole, 1):.2f} | {split.trained_tokens:,} | {tree.trained_tokens:,} | {times} |"
    )


if __name__ == "__main__":
    main()
