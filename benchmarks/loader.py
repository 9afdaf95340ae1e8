"""What ``PackedLoader`` promises, on a build of your own: every document once, the same after a restart, no waiting.

    python benchmarks/loader.py OUT … [--length 4096] [--batch-size 8] [--world-size 3] [--workers 2] [--step-ms 50]

Each rank is a loader in this process, one after another. A step sleeps: what is left of it is the wait for a batch.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from maskprep.collate import PackedLoader
from maskprep.dataset.reader import StoredDataSet

RESUMED = 100


def documents(batch: dict[str, Any]) -> Iterator[bytes]:
    """Yield the tokens of each document of a batch."""
    ids = batch["input_ids"][0].numpy().astype(np.int32)
    for start, stop in pairwise(batch["cu_seq_lens_q"].tolist()):
        yield ids[start:stop].tobytes()


def stored(folders: list[str]) -> Iterator[bytes]:
    """Yield the tokens of each document of the builds."""
    for folder in folders:
        data = StoredDataSet(folder)
        for number in range(len(data)):
            yield data.row(number).labelled.input_ids.astype(np.int32).tobytes()


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two batches are the same."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("outputs", nargs="+", metavar="OUT")
    for name, default in (("length", 4096), ("batch-size", 8), ("world-size", 3), ("workers", 2), ("step-ms", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()

    def loader(**changes: int) -> PackedLoader:
        settings = {"length": chosen.length, "batch_size": chosen.batch_size, "workers": chosen.workers}
        return PackedLoader(chosen.outputs, **{**settings, **changes})

    seen: Counter[bytes] = Counter()
    for rank in range(chosen.world_size):
        batches = 0
        for batch in loader(rank=rank, world_size=chosen.world_size):
            seen.update(documents(batch))
            batches += 1
        print(f"rank {rank} of {chosen.world_size}, {chosen.workers} workers: {batches:,} batches")
    print(f"{seen.total():,} documents; each exactly once: {seen == Counter(stored(chosen.outputs))}")

    settings = {"rank": 1, "world_size": chosen.world_size, "batch_size": 1}
    first, again = loader(**settings), loader(**settings)
    stream = iter(first)
    for _ in range(RESUMED):
        next(stream)
    again.load_state_dict(first.state_dict())
    same = [alike(one, other) for one, other in zip(stream, again, strict=True)]
    print(f"resumed after {RESUMED} batches: {sum(same):,} of the {len(same):,} that follow are the same")

    waits, tokens, held = [], [], None
    stream = iter(loader())
    next(stream)
    while True:
        time.sleep(chosen.step_ms / 1000)
        start = time.perf_counter()
        batch = next(stream, None)
        waited = time.perf_counter() - start
        if batch is None:
            break
        held = batch  # the last one is given back here, when the clock has stopped
        waits.append(waited * 1000)
        tokens.append(held["input_ids"].numel())
    print(f"steps of {chosen.step_ms} ms, {np.mean(tokens):,.0f} tokens each: {len(tokens):,} waits, in ms")
    print(f"median {np.median(waits):.3f}, 99 of 100 below {np.percentile(waits, 99):.3f}, longest {max(waits):.3f}")


if __name__ == "__main__":
    main()
