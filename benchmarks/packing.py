"""How full packs are and how long packing takes, beside TRL's ``pack_dataset`` on the same lengths, in one run.

    python benchmarks/packing.py [--length 4096] [--lengths FILE.npy | OUT …]

``OUT`` are output folders of builds, taken together; without any, lengths are drawn at random. TRL is left out where it
is not installed. Times are of one process: for TRL that of ``pack_dataset`` on one column of ids, without what it costs
to read a data set; it moves the ids as well, which ``pack`` leaves to the writer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from maskprep.dataset.packing import pack
from maskprep.dataset.reader import StoredDataSet
from maskprep.policy import Strategy

Ints = np.ndarray
MILLION = 1_000_000
TOKENS_AT_MOST = 200_000_000  # more ids than these are not made up for TRL


def drawn(length: int) -> dict[str, Ints]:
    """Return lengths of made-up data sets."""
    rng = np.random.default_rng(0)
    chat = np.clip(rng.lognormal(5.5, 1.0, MILLION).astype(np.int64) + 20, 1, length)
    return {"chat": chat[:100_000], "chat, a million": chat, "uniform": rng.integers(1, length + 1, 100_000)}


def stored(folders: list[str]) -> dict[str, Ints]:
    """Return the lengths of the rows of builds, and a million drawn from them."""
    lengths = np.concatenate([StoredDataSet(folder).lengths()[0] for folder in folders]).astype(np.int64)
    return with_a_million(" + ".join(folder.rstrip("/").rpartition("/")[2] for folder in folders), lengths)


def with_a_million(name: str, lengths: Ints) -> dict[str, Ints]:
    """Return these lengths, and a million drawn from them."""
    return {name: lengths, f"{name}, a million": np.random.default_rng(0).choice(lengths, MILLION)}


def ours(lengths: Ints, length: int, strategy: Strategy, window: int | None = None) -> int:
    """Return the number of packs."""
    return len(pack(lengths, length, strategy, window))


def trl_packer(lengths: Ints, length: int) -> Callable[[int], int] | None:
    """Return what packs the same lengths with TRL, so many rows at a time, and returns the number of packs."""
    try:
        from trl import pack_dataset  # noqa: PLC0415 - it need not be there
    except ImportError:
        return None
    import pyarrow as pa  # noqa: PLC0415 - wanted only for this
    from datasets import Dataset, disable_caching, disable_progress_bars  # noqa: PLC0415 - likewise

    disable_caching()
    disable_progress_bars()
    edges = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    ids = pa.ListArray.from_arrays(edges, pa.array(np.zeros(int(lengths.sum()), np.int32)))
    data = Dataset(pa.table({"input_ids": ids}))
    return lambda rows: len(pack_dataset(data, length, "bfd", {"batch_size": rows, "keep_in_memory": True}))


def packers(lengths: Ints, length: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield each way to pack, by name."""
    yield "maskprep best_fit", lambda: ours(lengths, length, "best_fit")
    yield "maskprep best_fit, window 10,000", lambda: ours(lengths, length, "best_fit", 10_000)
    yield "maskprep in_order", lambda: ours(lengths, length, "in_order")
    theirs = trl_packer(lengths, length) if lengths.sum() <= TOKENS_AT_MOST else None
    if theirs is not None:
        yield "TRL bfd, 1,000 rows (default)", lambda: theirs(1000)
        yield "TRL bfd, all rows", lambda: theirs(len(lengths))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("outputs", nargs="*", metavar="OUT")
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--lengths", help="an .npy file of lengths, in place of builds")
    chosen = parser.parse_args()
    if chosen.lengths:
        data = with_a_million(chosen.lengths, np.load(chosen.lengths).astype(np.int64))
    else:
        data = stored(chosen.outputs) if chosen.outputs else drawn(chosen.length)
    for name, lengths in data.items():
        tokens = int(lengths.sum())
        least = -(-tokens // chosen.length)
        print(
            f"\n{name}: {len(lengths):,} documents, {tokens:,} tokens; at least {least:,} packs of {chosen.length:,},"
        )
        print(f"which would be {tokens / least / chosen.length:.4%} full\n")
        print(f"{'':34}{'packs':>10}{'full':>12}{'seconds':>10}")
        for what, run in packers(lengths, chosen.length):
            start = time.perf_counter()
            packs = run()
            took = time.perf_counter() - start
            print(f"{what:34}{packs:>10,}{tokens / packs / chosen.length:>12.4%}{took:>10.3f}", flush=True)


if __name__ == "__main__":
    main()
