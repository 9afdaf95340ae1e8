"""The start of maskprep in CPU seconds: a build of one row, up to the row and to the end; and a row of it, looked at.

    python benchmarks/start.py --tokenizer DIR [--times 5]

Each is the median of as many fresh processes, user and system time together, with warm disks and compiled modules, as
an installation has them. A process tells at its end whether torch, transformers, pandas or datasets were imported.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROW = {"messages": [{"role": "user", "content": "Is it far?"}, {"role": "assistant", "content": "An hour's walk."}]}
_HEAVY = ("torch", "transformers", "pandas", "datasets")

_PROCESS = """
import atexit, json, os, sys
from pathlib import Path

facts = {}

def used():
    times = os.times()
    return times.user + times.system

def tell():
    facts["imported"] = [name for name in heavy.split(",") if sys.modules.get(name) is not None]
    Path(file).write_text(json.dumps(facts))

atexit.register(tell)
_, file, heavy, *words = sys.argv
if words[0] == "build":
    import pyarrow as pa

    class Told:
        def __init__(self, stream):
            self.stream = stream

        def write_batch(self, batch):
            self.stream.write_batch(batch)
            facts.setdefault("first row", used())

        def close(self):
            self.stream.close()

    new_stream = pa.ipc.new_stream
    pa.ipc.new_stream = lambda *given: Told(new_stream(*given))

from maskprep.cli import main

sys.argv = ["maskprep", *words]
main()
"""


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--times", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, out, facts = Path(folder, "one.jsonl"), Path(folder, "out"), Path(folder, "facts.json")
        rows.write_text(json.dumps(_ROW) + "\n", encoding="utf-8")
        where = ["--tokenizer", str(wanted.tokenizer.resolve()), "--output", str(out), "--overwrite"]
        # Where the modules are compiled to: a checkout may be none that is written to.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for words in (["build", str(rows), *where], ["inspect", str(out), "--row", "0"]):
            _measure(words, facts, environment, 1)
            told = _measure(words, facts, environment, wanted.times)
            print(f"{words[0]}: {', '.join(told)}")


def _measure(words: list[str], facts: Path, environment: dict[str, str], times: int) -> list[str]:
    """Run a command ``times`` times, and return what it took."""
    whole, first, imported = [], [], [""]
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        script = [sys.executable, "-c", _PROCESS, str(facts), ",".join(_HEAVY), *words]
        subprocess.run(script, check=True, env=environment, capture_output=True)  # noqa: S603 - this very command
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        told = json.loads(facts.read_text(encoding="utf-8"))
        first += [told["first row"]] if "first row" in told else []
        imported = told["imported"]
    spread = f"{statistics.median(whole):.2f} s of CPU in all ({min(whole):.2f} to {max(whole):.2f})"
    row = [f"{statistics.median(first):.2f} s to the first row ({min(first):.2f} to {max(first):.2f})"] if first else []
    return [*row, spread, f"imported: {' '.join(imported) or 'none of ' + ' '.join(_HEAVY)}"]


if __name__ == "__main__":
    main()
