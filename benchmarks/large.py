"""Builds a large made-up input, and watches memory and speed on the way (Linux).

    python benchmarks/large.py --bytes 2e9 --workers 2 --tokenizer DIR [--row 1e7] [--folder DIR] [--set KEY=VALUE]

Conversations of 2 to 12 turns, a few of them twice, one row of 10 MB (``--row``) in the middle. Prints the
peak of each process (its own pages: what is mapped from files and shared is not counted), and tokens a second in each
tenth of the way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TENTHS = 10
_BATCH = 1000  # rows, of which one stands there twice


def main() -> int:
    """Generate, build, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=float, default=2e9)
    parser.add_argument("--row", type=float, default=1e7, help="bytes of the longest row")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--tokenizer", default=str(ROOT / "sample_data" / "tokenizer"))
    parser.add_argument("--folder", help="for the input and the output; the input is kept")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp())
    source = folder / f"rows-{int(options.bytes)}-{int(options.row)}.jsonl"
    if not source.exists():
        generate(source, int(options.bytes), int(options.row))
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "maskprep", "build", str(source), "--tokenizer", options.tokenizer]
    command += ["--workers", options.workers, "--history", "rendered", "--output", str(output)]
    command += [word for setting in options.settings for word in ("--set", setting)]
    begun = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)  # noqa: S603
    peaks, chunks = watch(process, output, begun)
    seconds = time.monotonic() - begun
    totals = json.loads((output / "maskprep" / "manifest.json").read_bytes())["totals"]
    size = source.stat().st_size
    print(f"{size:,} bytes, {totals['rows']:,} rows, {totals['tokens']:,} tokens in {seconds:.0f} s")
    print(f"{totals['tokens'] / seconds:,.0f} tokens/s, {size / seconds / 1e6:.1f} MB/s, start and commit included")
    for name, peak in sorted(peaks.items(), key=lambda item: -item[1])[:8]:
        print(f"{peak / 2**20:8,.0f} MiB  {name}")
    for tenth, speed in enumerate(speeds(chunks)):
        print(f"{tenth * 10:3} to {tenth * 10 + 10:3} %: {speed:12,.0f} tokens/s")
    if not options.folder:
        shutil.rmtree(folder)
    return int(process.returncode)


def generate(path: Path, size: int, longest: int) -> None:
    """Write conversations of ``size`` bytes, one of them of ``longest``, about."""
    chance = random.Random(0)  # noqa: S311 - no secret
    words = (ROOT / "README.md").read_text(encoding="utf-8").replace("<", "").split()

    def text(most: int) -> str:
        return " ".join(chance.choices(words, k=chance.randrange(5, most)))

    written, long = 0, False
    with path.open("w", encoding="utf-8") as file:
        lines: list[str] = []
        while written < size:
            if not long and written > size / 2:
                pieces: list[str] = []
                while sum(map(len, pieces)) < longest:
                    pieces.append(text(100_000))
                messages = [
                    {"role": role, "content": said} for role, said in (("user", "?"), ("assistant", " ".join(pieces)))
                ]
                long = True
            else:
                messages = [
                    {"role": role, "content": text(most)}
                    for _ in range(chance.randrange(1, 7))
                    for role, most in (("user", 60), ("assistant", 200))
                ]
            line = json.dumps({"messages": messages}) + "\n"
            lines.append(line)
            written += len(line)
            if len(lines) > _BATCH:
                lines[chance.randrange(_BATCH)] = lines[0]
                file.writelines(lines)
                lines = []
        file.writelines(lines)


def watch(
    process: subprocess.Popen[bytes], output: Path, begun: float
) -> tuple[dict[str, int], list[tuple[float, int]]]:
    """Return the peak of each process (bytes), and when each chunk was done, with its tokens."""
    peaks = defaultdict[str, int](int)
    seen: set[str] = set()
    chunks = []
    while process.poll() is None:
        for pid in family(process.pid):
            name, size = own_pages(pid)
            if size:
                peaks[f"{pid} {name}"] = max(peaks[f"{pid} {name}"], size)
        for receipt in (output / "maskprep" / "work").glob("chunk-*.json"):
            if receipt.name not in seen:
                try:
                    chunks.append((time.monotonic() - begun, json.loads(receipt.read_bytes())["tallies"][0]["tokens"]))
                except OSError:
                    break  # the build is at its end
                seen.add(receipt.name)
        time.sleep(0.2)
    return peaks, chunks


def speeds(chunks: list[tuple[float, int]]) -> Iterator[float]:
    """Yield tokens a second of each tenth of the tokens."""
    total, done, start, before, tenth = sum(tokens for _, tokens in chunks), 0, 0.0, 0, 1
    for when, tokens in chunks:
        done += tokens
        if done * _TENTHS >= total * tenth:
            yield (done - before) / (when - start)
            start, before = when, done
            tenth = done * _TENTHS // total + 1


def family(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return


def own_pages(pid: int) -> tuple[str, int]:
    """Return what a process is called, and how many bytes of memory are its own."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        private = sum(int(fields[name].split()[0]) for name in ("Private_Dirty", "Anonymous")) // 2
    except (OSError, ValueError, KeyError):
        return "", 0
    kind = "driver" if "build" in words else "worker" if "forkserver" in " ".join(words) else "helper"
    return kind, private * 1024


if __name__ == "__main__":
    raise SystemExit(main())
