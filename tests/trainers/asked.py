"""What ``Masker`` makes of the bundled sample: what each integration must hand over."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import orjson
from bundled import CONVERSATIONS, ROOT, TOKENIZER

import maskprep

EXAMPLES = ROOT / "examples"
SETTINGS = {"history": "split", "max_length": 1024, "max_rejects": 0.2}


@cache
def sample():
    """Return the rows of the sample, less those that are no JSON."""
    rows = []
    for line in CONVERSATIONS.read_bytes().splitlines():
        with suppress(orjson.JSONDecodeError):
            rows.append(orjson.loads(line))
    return rows


def plain():
    """Return the rows of messages that hold text alone: any reader of JSON reads these alike."""
    return [
        row
        for row in sample()
        if isinstance(row, dict)
        and set(row) == {"messages"}
        and isinstance(row["messages"], list)
        and all(isinstance(each, dict) and set(each) == {"role", "content"} for each in row["messages"])
        and all(isinstance(each["content"], str) for each in row["messages"])
    ]


def plain_file(path):
    """Write such rows into a file, and return its name."""
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in plain()))
    return str(path)


def made(rows=None, **settings):
    """Return the sequences of the sample, or of other rows, in order: ids and labels."""
    masker = maskprep.Masker(str(TOKENIZER), **{**SETTINGS, **settings})
    found = [each for each in masker.many(sample() if rows is None else rows) if isinstance(each, maskprep.Example)]
    return [one.columns() for each in found for one in each.sequences]
