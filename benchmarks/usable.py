"""How many rows are usable with each of a folder of chat templates, by default, and why the others are not.

    python benchmarks/usable.py FOLDER [--every 1] [--processes 2] [--list CODE]

One small conversation of each kind is prepared with each ``*.jinja`` of the folder, and a tokenizer that has the
control tokens which the template spells. A table tells, for each kind, the share of templates with which its row is
used, the rejected ones by code, and the findings of those that are used. ``--list`` names the templates of a code.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskprep.errors import RowError, UsageError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Policy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from assets.cells import tokenizer_for

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CALL = {"name": "look_up", "arguments": {"word": "fjord", "limit": 2}}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks a word up.",
            "parameters": {
                "type": "object",
                "properties": {
                    "word": {"type": "string", "description": "The word"},
                    "limit": {"type": "integer", "description": "How many meanings"},
                },
                "required": ["word"],
            },
        },
    }
]


def system() -> dict[str, Any]:
    """Return instructions."""
    return {"role": "system", "content": "You answer briefly."}


def user(text: str = "What is a fjord?") -> dict[str, Any]:
    """Return a question."""
    return {"role": "user", "content": text}


def answer(text: str = "A long, narrow inlet.", **more: Any) -> dict[str, Any]:
    """Return an answer."""
    return {"role": "assistant", "content": text, **more}


def result(text: str) -> dict[str, Any]:
    """Return the result of the one call."""
    return {"role": "tool", "content": text, "tool_call_id": "call00001", "name": "look_up"}


def _calling(text: str) -> dict[str, Any]:
    call = answer("", tool_calls=[{"type": "function", "id": "call00001", "function": CALL}])
    return {"messages": [user(), call, result(text), answer()], "tools": TOOLS}


ROWS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [user(), answer()]},
    "several turns": {"messages": [system(), user(), answer(), user("And a fell?"), answer("A barren hill.")]},
    "tools": _calling("[1] a narrow inlet of the sea"),
    "empty result": _calling(""),
    "reasoning": {"messages": [user(), answer(reasoning_content="Norway has many of them.")]},
    "reasoning, otherwise named": {"messages": [user(), answer(reasoning="Norway has many of them.")]},
    "greeting": {"messages": [system(), answer("Hello! What can I do?"), user(), answer()]},
    "empty answer": {"messages": [user(), answer(""), user("Hello? What is a fjord?"), answer()]},
}


def outcomes(path: str) -> list[tuple[str, str, frozenset[str]]]:
    """Return, for each kind of row, the code of its rejection, if it is rejected, and the findings."""
    template = Path(path).read_text(encoding="utf-8")
    try:
        preparer = Preparer(tokenizer_for(template), now=NOW, policy=Policy(), template=template)
    except UsageError:
        return [(kind, "does not compile", frozenset()) for kind in ROWS]
    found = []
    for kind, row in ROWS.items():
        preparer.begin()
        try:
            findings = preparer.prepare(DEFAULT.parse(row)).findings
        except RowError as error:
            found.append((kind, error.code, frozenset[str]()))
        else:
            found.append((kind, "", frozenset(finding.code for finding in findings)))
    return found


def main() -> None:
    """Prepare all rows with all templates and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one in so many templates")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", default="", help="name the templates of this code, reject or finding")
    given = parser.parse_args()
    paths = sorted(map(str, given.folder.glob("*.jinja")))[:: given.every]
    rejects, findings = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for path, found in zip(paths, pool.imap(outcomes, paths, chunksize=4), strict=True):
            for kind, code, noticed in found:
                rejects[kind][code] += 1
                findings[kind].update(noticed)
                if given.list and given.list in {code, *noticed}:
                    print(f"{given.list}  {kind}  {Path(path).name}")
    print(f"{len(paths)} templates")
    for kind in ROWS:
        used = rejects[kind].pop("", 0)
        print(f"\n{kind}: {used} used, {100 * used / len(paths):.1f} %")
        for word, counts in (("rejected", rejects[kind]), ("finding", findings[kind])):
            for code, count in counts.most_common():
                print(f"    {count:5}  {word:8}  {code}")


if __name__ == "__main__":
    main()
