"""How fast conversations become token ids and labels, against what others do with the same rows.

    python benchmarks/preparation.py --data FILES --tokenizer DIR [--rows 3000] [--repeats 3] [--only NAMES]

The rows are those of the files that have two turns of an assistant's at least and that maskprep accepts; rows of one
turn are put together to conversations of two to eight, with a system prompt for some. Every contender gets the same
file, in a process of its own, in turn; the table gives medians. TRL and Axolotl are compared where they are installed.

tokens/s counts the tokens that come out. ``rendered`` trains the conversation as it stands, as TRL and Axolotl do;
``mask`` and ``split`` train only what the server would send, ``split`` by writing more sequences.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contenders import CONTENDERS, NOW

from maskprep.conversation import Conversation, Message, Where
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import Line, parse
from maskprep.policy import History, Policy
from maskprep.tokenizer.load import load_tokenizer

_SYSTEMS = (
    "You are a helpful assistant.",
    "Answer briefly and truthfully. Say so when you do not know something.",
    "You are a patient teacher. Show each step of a calculation, and give the result in a sentence of its own.",
    "You review code. Explain what is wrong before you write it anew; use plain words, and Markdown for code.",
)


def conversations(path: str) -> Iterator[Conversation]:
    """Yield what can be read of a file."""
    with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as lines:
        for number, data in enumerate(lines, 1):
            try:
                yield parse(Line(Where(path, number, 0), data))
            except RowError:
                continue


def several_turns(found: Iterable[Conversation], draw: random.Random) -> Iterator[Conversation]:
    """Yield conversations of several turns; those of one turn are put together."""
    waiting: list[Message] = []
    wanted = draw.randint(2, 8)
    for conversation in found:
        turns = sum(message.role == "assistant" for message in conversation.messages)
        if turns > 1:
            yield conversation
        elif turns == 1 and conversation.tools is None:
            waiting += [message for message in conversation.messages if message.role != "system"]
            if sum(message.role == "assistant" for message in waiting) == wanted:
                system = [Message({"role": "system", "content": draw.choice(_SYSTEMS)})] * (draw.random() < 0.6)  # noqa: PLR2004
                yield Conversation((*system, *waiting))
                waiting, wanted = [], draw.randint(2, 8)


def as_row(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as all contenders read it: arguments and tools as JSON text, which no column type bends."""
    messages = []
    for message in conversation.messages:
        fields = dict(message.fields)
        for call in fields.get("tool_calls", ()):
            function = call["function"]
            if not isinstance(function["arguments"], str):
                function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
        messages.append(fields)
    tools = {"tools": json.dumps(conversation.tools, ensure_ascii=False)} if conversation.tools else {}
    return {"messages": messages, **tools}


def write_rows(paths: list[str], tokenizer: str, count: int, target: Path) -> int:
    """Write the rows, drawn from all files alike, and return how many there are."""
    draw = random.Random(0)  # noqa: S311 - a choice of rows
    now = Where("", 0, 0)
    preparer = Preparer(load_tokenizer(tokenizer), now=NOW, policy=Policy(history=History.RENDERED))
    rows: list[bytes] = []
    for path in paths:
        for conversation in several_turns(conversations(path), draw):
            data = json.dumps(as_row(conversation), ensure_ascii=False).encode()
            try:
                preparer.prepare(parse(Line(now, data)))
            except RowError:
                continue
            rows.append(data + b"\n")
    draw.shuffle(rows)
    target.write_bytes(b"".join(rows[:count]))
    return min(count, len(rows))


def run(name: str, rows: Path, tokenizer: str) -> dict[str, float] | None:
    """Run one contender in a process of its own, None where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(Path(__file__).with_name("contenders.py")), name, str(rows), tokenizer, folder]
        done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        print(f"{name}: {done.stderr.decode(errors='replace').strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    result: dict[str, float] = json.loads(done.stdout)
    return result


def table(results: dict[str, list[dict[str, float]]], clock: str) -> Iterator[str]:
    """Yield the lines of the table."""
    median = {
        name: {key: statistics.median(run[key] for run in runs) for key in ("seconds", "cpu", "tokens", "peak_mb")}
        for name, runs in results.items()
        if runs
    }
    # Workers are processes of their own, whose CPU nobody adds up: theirs is the time of the clock.
    speed = {name: one["tokens"] / (one[clock] or one["seconds"]) for name, one in median.items()}
    own, least = speed.get("maskprep", 0.0), speed.get("floor", 0.0)
    yield f"{'':30} {'seconds':>8} {'CPU s':>8} {'tokens':>11} {'tokens/s':>11} {'maskprep':>9} {'floor':>7} {'MB':>6}"
    for name, one in median.items():
        ahead = f"{own / speed[name]:8.1f}x" if own else ""
        share = f"{speed[name] / least:7.2f}" if least else ""
        yield (
            f"{CONTENDERS[name][0]:30} {one['seconds']:8.2f} {one['cpu']:8.2f} {one['tokens']:11,.0f} "
            f"{speed[name]:11,.0f} {ahead:>9} {share:>7} {one['peak_mb']:6,.0f}"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS])
    parser.add_argument("--clock", choices=["seconds", "cpu"], default="seconds", help="what the ratios are made of")
    given = parser.parse_args()
    missing = [name for name in given.only if CONTENDERS[name][3] and find_spec(CONTENDERS[name][3]) is None]
    for name in missing:
        print(f"{CONTENDERS[name][0]}: not compared, {CONTENDERS[name][3]} is not installed")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in given.only if name not in missing}
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        count = write_rows(given.data, given.tokenizer, given.rows, rows)
        print(f"{count:,} conversations, {rows.stat().st_size / 1e6:.1f} MB; medians of {given.repeats} runs in turn")
        for _ in range(given.repeats):
            for name, runs in results.items():
                done = run(name, rows, given.tokenizer)
                if done is not None:
                    runs.append(done)
    print("\n".join(table(results, given.clock)))


if __name__ == "__main__":
    main()
