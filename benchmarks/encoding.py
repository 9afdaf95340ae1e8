"""How long encoding takes, by backend: each prompt from its beginning, and from its last isolated token on.

    python benchmarks/encoding.py TOKENIZER ROWS.jsonl[.gz] [--history split] [--rows N]

The conversations are prepared once; only the building of their sequences is timed, in one process and one run. The
first way is what the law says literally, and what maskprep did at first: every prompt is encoded as a text of its own.
"""

from __future__ import annotations

import argparse
import gzip
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.formats.strict_json import loads
from maskprep.policy import History, Policy
from maskprep.template.turns.locate import locate
from maskprep.tokenizer.backend import TransformersBackend, choose_backend
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer
from maskprep.tokenizer.split_points import SplitPoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maskprep.examples.preparer import Proved


def conversations(path: str, rows: int | None) -> Iterator[Conversation]:
    """Yield the conversations of a file that can be read."""
    with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as lines:
        for line in islice(lines, rows):
            try:
                yield DEFAULT.parse(loads(line))
            except RowError:
                continue


def proved(preparer: Preparer, path: str, rows: int | None) -> Iterator[Proved]:
    """Yield what all ways of encoding have in common."""
    for conversation in conversations(path, rows):
        try:
            yield preparer.prove(conversation)
        except RowError:
            continue


def build(loaded: LoadedTokenizer, encoder: Encoder, rows: list[Proved], history: History) -> tuple[float, int, int]:
    """Return the seconds that it took to build all sequences, how many tokens they hold, and a hash of the ids."""
    preparer = Preparer(loaded, now=datetime.now(UTC), policy=Policy(history=history))
    builder = type(preparer._builder)(encoder)  # noqa: SLF001 - only this part is timed
    tokens, total = 0, 0
    began = time.perf_counter()
    for row in rows:
        located = {}
        if history is History.RENDERED:
            astray = [turn for turn in row.selected.values() if not turn.begins(row.whole)]
            located = locate(row.template, row.conversation, row.whole, astray, preparer.stops)
        try:
            made = builder.build(history, row.whole, row.turns, row.selected, located)
        except RowError:
            continue
        for sequence in made.sequences:
            tokens += len(sequence.encoded.ids)
            total = hash((total, sequence.encoded.ids.tobytes()))
    return time.perf_counter() - began, tokens, total


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("source")
    parser.add_argument("--history", default="split", choices=[str(history) for history in History])
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    loaded, history = load_tokenizer(given.tokenizer), History(given.history)
    preparer = Preparer(loaded, now=datetime.now(UTC), policy=Policy(history=history))
    rows = list(proved(preparer, given.source, given.rows))
    print(f"{len(rows):,} conversations, history: {history}")

    whole = Encoder(loaded.tokenizer)
    whole.__dict__["_segments"] = SplitPoints({})  # no isolated token: nothing is divided
    fast = choose_backend(loaded.tokenizer, "auto")
    fast.load()  # before any clock starts
    ways = {
        "transformers, whole prompts": whole,
        "transformers, segments": Encoder(loaded.tokenizer, TransformersBackend(loaded.tokenizer)),
        "fastokens, segments": Encoder(loaded.tokenizer, fast),
    }
    first, digests = 0.0, set()
    for name, encoder in ways.items():
        seconds, tokens, digest = build(loaded, encoder, rows, history)
        first = first or seconds
        digests.add(digest)
        rate, used = f"{tokens / seconds:12,.0f} tokens/s", encoder.backend.name
        print(f"{name:28} {seconds:8.2f} s {rate} {first / seconds:6.1f} x  {used}")
    print("all ways give the same ids" if len(digests) == 1 else "THE WAYS DIFFER")


if __name__ == "__main__":
    main()
