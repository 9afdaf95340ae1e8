"""Kills builds at random moments, lets the same command go on, and compares what is written with an undisturbed build.

    python benchmarks/kills.py --rows 6000 --trials 100 --workers 2     each trial: one kill, then to the end
    python benchmarks/kills.py --rows 99000 --trials 1 --kills 20 --within 5     one build, killed 20 times

Prints one line a trial, and at the end how many of them are identical to the byte: shards, ledgers, manifest (but the
times and the folder).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOW = "2026-01-02T03:04:05Z"
_TWICE = 50  # of so many rows one stands there twice


def main() -> int:
    """Run the trials, and return 0 if all of them ended as they should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--kills", type=int, default=1, help="in each trial")
    parser.add_argument("--within", type=float, help="seconds after which it is killed at the latest")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--tokenizer", default=str(ROOT / "sample_data" / "tokenizer"))
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source = place / "rows.jsonl"
        write_rows(source, options.rows, chance)
        command = [sys.executable, "-m", "maskprep", "build", str(source), "--tokenizer", options.tokenizer]
        command += ["--workers", options.workers, "--history", "rendered", "--set", f"now={NOW}"]
        command += [word for setting in options.settings for word in ("--set", setting)]
        begun = time.perf_counter()
        run([*command, "--output", str(place / "whole")])
        whole = time.perf_counter() - begun
        expected = checksum(place / "whole")
        print(f"undisturbed: {whole:.1f} s, {expected[:16]}, {source.stat().st_size:,} bytes of rows", flush=True)
        same = 0
        for trial in range(options.trials):
            most = options.within or whole
            kept = [disturbed([*command, "--output", str(place / "out")], most, chance) for _ in range(options.kills)]
            finished = (place / "out" / "state.json").exists()  # then the command only clears up what is left
            run([*command, "--output", str(place / "out")], 2 if finished else 0)
            found = checksum(place / "out")
            same += found == expected
            print(f"trial {trial}: chunks done at each kill {kept}: {found[:16]}", flush=True)
            shutil.rmtree(place / "out")
        print(f"{same} of {options.trials} identical")
    return int(same != options.trials)


def write_rows(path: Path, count: int, chance: random.Random) -> None:
    """Write conversations, some of them twice, some of them bad."""
    words = [f"{chance.randrange(16**6):x}" for _ in range(500)]

    def text() -> str:
        return " ".join(chance.choices(words, k=chance.randrange(5, 120)))

    rows: list[str] = []
    for number in range(count):
        roles = ("user", "assistant") * chance.randrange(1, 4)
        messages = [{"role": role, "content": text()} for role in roles]
        rows.append(json.dumps({"messages": messages}) if number % 200 else "{}")
        if number % _TWICE == _TWICE - 1:
            rows[-1] = rows[chance.randrange(len(rows))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def disturbed(command: Sequence[str], most: float, chance: random.Random) -> int:
    """Kill a build at a random moment, workers and all or itself alone, and return how many chunks it had done.

    It may have come to its end before, or at least to its commit.
    """
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment()
    )
    time.sleep(chance.uniform(0, most))
    if process.poll() is None:
        if chance.choice((True, False)):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    return len(list((Path(command[-1]) / "maskprep" / "work").glob("chunk-*.json")))


def run(command: Sequence[str], code: int = 0) -> None:
    """Run a build to its end, with this exit code."""
    done = subprocess.run([*command], capture_output=True, text=True, env=environment(), check=False)  # noqa: S603
    if done.returncode != code:
        raise SystemExit(done.stderr)


def environment() -> dict[str, str]:
    """Return the environment of a build: nothing is downloaded."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def checksum(folder: Path) -> str:
    """Return a hash of all that a build wrote, but for where it was written."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.name == "manifest.json":
            facts = json.loads(data)
            facts["config"]["output"] = None
            data = json.dumps(facts).encode()
        found.update(f"{path.relative_to(folder)} {len(data)}\n".encode())
        found.update(data)
    return found.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
