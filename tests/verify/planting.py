"""Builds to verify, and faults to plant in them: a shard is rewritten and, if wanted, the manifest made to agree."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from builds import run
from bundled import TOKENIZER

from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import SCHEMA
from maskprep.dataset.sealed import SEAL, seal_of
from maskprep.labelled import Span
from maskprep.progress import Progress
from maskprep.verify.command import check_all, verify
from maskprep.verify.examples import ModelExample
from maskprep.verify.options import VerifyOptions
from maskprep.verify.with_model import ModelChecks

NOW = "2026-01-02T03:04:05+00:00"

_WEATHER = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
_SCHEMA = {"type": "function", "function": {"name": "weather", "description": "Looks.", "parameters": {}}}


def conversations():
    """Return rows with every role, reasoning, a tool call, several turns."""
    yield {
        "tools": [_SCHEMA],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Is it raining in Oslo?"},
            {"role": "assistant", "content": None, "reasoning_content": "I should look.", "tool_calls": [_WEATHER]},
            {"role": "tool", "content": "light rain, 8 degrees"},
            {"role": "assistant", "content": "Yes, a little."},
        ],
    }
    for number in range(5):
        yield {
            "messages": [
                {"role": "user", "content": f"Name a river of length {number}."},
                {"role": "assistant", "content": f"The river number {number} is called Glomma."},
                {"role": "user", "content": "And another one?"},
                {"role": "assistant", "content": f"Drammenselva{' and more' * number}."},
            ]
        }


def build(folder: Path, rows=None, *, tokenizer=TOKENIZER, name="out", options=()) -> Path:
    """Build rows with the command line and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in (rows or conversations())), "utf-8")
    words = ["build", source, "--tokenizer", tokenizer, "--output", folder / name, "--set", f"now={NOW}", *options]
    outcome = run(*words)
    assert outcome.code == 0, outcome
    return folder / name


def manifest(folder: Path):
    return json.loads((folder / "maskprep" / "manifest.json").read_bytes())


def write_manifest(folder: Path, facts) -> None:
    """Write the manifest, and seal it again: so that what contradicts it is found, and not that it was edited."""
    (folder / "maskprep" / "manifest.json").write_text(json.dumps(facts), "utf-8")
    state = json.loads((folder / "state.json").read_bytes())
    with suppress(KeyError, TypeError):
        (folder / "state.json").write_text(json.dumps({**state, SEAL: seal_of(facts)}), "utf-8")


def shard(folder: Path) -> Path:
    [path] = folder.glob("data-*.arrow")
    return path


def rows_of(folder: Path):
    with pa.OSFile(str(shard(folder))) as file:
        return pa.ipc.open_stream(file).read_all().to_pylist()


def write_rows(folder: Path, rows, schema=SCHEMA) -> None:
    with pa.OSFile(str(shard(folder)), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write_table(pa.Table.from_pylist(rows, schema=schema))


def mend(folder: Path) -> None:
    """Make the manifest agree with what the shard holds, so that `files` has nothing to say."""
    facts, rows, path = manifest(folder), rows_of(folder), shard(folder)
    tokens = sum(len(row["input_ids"]) for row in rows)
    trained = sum(label != -100 for row in rows for label in row["labels"])
    by: Counter = Counter()
    for row in rows:
        for span in row["spans"]:
            by[span["role"], span["part"], "tokens"] += span["end"] - span["start"]
            by[span["role"], span["part"], "trained_tokens"] += (span["end"] - span["start"]) * span["trained"]
    place = {
        name: {"file": row["origin"]["file"], "line": row["origin"]["line"], "offset": 0}
        for name, row in (("first", rows[0]), ("last", rows[-1]))
    }
    [told] = facts["shards"]
    told |= {"rows": len(rows), "documents": len(rows), "tokens": tokens, "trained_tokens": trained, **place}
    told |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    facts["totals"] |= {
        "sequences": len(rows),
        "tokens": tokens,
        "trained_tokens": trained,
        "longest_sequence": max(len(row["input_ids"]) for row in rows),
        "by_role_and_part": [
            {
                "role": role,
                "part": part,
                "tokens": by[role, part, "tokens"],
                "trained_tokens": by[role, part, "trained_tokens"],
            }
            for role, part in sorted({key[:2] for key in by})
        ],
    }
    write_manifest(folder, facts)


def plant(clean: Path, target: Path, edit, *, mended=True) -> Path:
    """Copy a clean build and rewrite its rows with ``edit``."""
    shutil.copytree(clean, target)
    rows = rows_of(target)
    edit(rows)
    write_rows(target, rows)
    if mended:
        mend(target)
    return target


def verified(folder: Path, **options):
    """Verify and return the results by name."""
    report = verify(VerifyOptions(str(folder), device="cpu", **options), Progress())
    return {result.name: result for result in report.results}


def without_model(folder: Path, **options):
    """Return the results of the checks that need no model, by name."""
    options = VerifyOptions(str(folder), device="cpu", **options)
    results = check_all(StoredDataSet(str(folder)), ModelChecks(options, Progress()))
    return {result.name: result for result in islice(results, 3)}


def files_of(folder: Path):
    """Return the result of the first check alone."""
    return next(
        check_all(StoredDataSet(str(folder)), ModelChecks(VerifyOptions(str(folder), device="cpu"), Progress()))
    )


def failed(folder: Path, **options) -> set[str]:
    return {name for name, result in verified(folder, **options).items() if result.verdict == "failed"}


def span_of(row, role, part, message=None):
    """Return the first span of a kind."""
    return next(
        span
        for span in row["spans"]
        if (span["role"], span["part"]) == (role, part) and message in {None, span["message"]}
    )


def train(row, span) -> None:
    """Train a span, in the labels and in the spans."""
    span["trained"] = True
    row["labels"][span["start"] : span["end"]] = row["input_ids"][span["start"] : span["end"]]


def row(length, vocabulary, seed=0, first=3):
    """Return a random row of which the last two thirds or so are trained."""
    chance = np.random.default_rng(seed)
    ids = chance.integers(0, vocabulary, length)
    meant = np.arange(length) >= first
    labels = np.where(meant, ids, -100)
    spans = (Span("user", "content", 0, 0, first, False), Span("assistant", "content", 1, first, length, True))
    return ModelExample(7, ids, labels, meant, spans)
