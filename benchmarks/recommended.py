"""What a newcomer's command does, what is recommended where it stops, and how many rows the recommendation uses.

    python benchmarks/recommended.py TOKENIZERS DATA [--only qwen3,gemma3] [--data kdconv_zh]

TOKENIZERS is a folder with a tokenizer in each of its folders, DATA one with JSONL files. Prints a table in Markdown.
Each recommended command is run as it is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("qwen3", "gptoss", "deepseek_v3", "gemma3", "llama3_1", "qwen2_5")
DATA = ("kdconv_zh", "tau_airline", "reason_tool_use")


def build(words: list[str]) -> tuple[int, dict[str, Any], float]:
    """Run ``maskprep`` with these words; return the exit code, its JSON, and the seconds that it took."""
    started = time.perf_counter()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "maskprep", *words], stdout=subprocess.PIPE, check=False, env=environment
    )
    return done.returncode, json.loads(done.stdout), time.perf_counter() - started


def row(name: str, folder: Path, file: Path, out: str) -> str:
    """Return one row of the table."""
    words = ["build", str(file), "--tokenizer", str(folder), "--output", out, "--json"]
    code, facts, seconds = build(words)
    if not code:
        totals = facts["totals"]
        used = f"{totals['rows_used']}/{totals['rows']}"
        return f"| {name} | {file.name.partition('.')[0]} | builds, {used} | - | {used} | {seconds:.0f} |"
    found = facts.get("recommended")
    first = f"stops: {facts['error'][:40]}…" if "histories" not in facts else f"stops: split {facts['expansion']:.1f} ×"
    if "rows_rejected" in facts:
        first = f"stops: {facts['rows_rejected']}/{facts['rows']} rejected"
    if not found or not found["useful"]:
        return f"| {name} | {file.name.partition('.')[0]} | {first} | another template | 0 | {seconds:.0f} |"
    command = shlex.split(found["command"])
    added = " ".join(command[len(words) + 1 :])
    _, again, more = build([*command[1:], "--overwrite"])
    totals = again.get("totals", again)
    used = f"{totals.get('rows_used')}/{totals.get('rows')}"
    why = "" if found["good"] else f"; {found['left'][0]['why'].rpartition(': ')[2][:90]}"
    return (
        f"| {name} | {file.name.partition('.')[0]} | {first} | `{added}`{why} | {used} | {seconds:.0f} + {more:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", type=Path)
    parser.add_argument("conversations", type=Path)
    parser.add_argument("--only", default=",".join(NAMES))
    parser.add_argument("--data", default=",".join(DATA))
    given = parser.parse_args()
    print("| template | data | as typed | recommended | rows used | seconds |\n|---|---|---|---|---|---|")
    for name in given.only.split(","):
        for data in given.data.split(","):
            file = next(given.conversations.glob(f"{data}.jsonl*"))
            with tempfile.TemporaryDirectory() as folder:
                print(row(name, given.tokenizers / name, file, f"{folder}/out"), flush=True)


if __name__ == "__main__":
    main()
