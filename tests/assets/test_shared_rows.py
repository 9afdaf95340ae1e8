"""Every key of the real conversations and of the small odd ones is read, known to mean nothing, or named."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from itertools import islice

import pytest
from formats.accounts import unaccounted

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats import Reading, detect, loads

pytestmark = pytest.mark.assets

MOST = 300  # rows of a file


def test_every_key_is_accounted_for(conversations):
    files = [*sorted(conversations.glob("*.gz")), *sorted((conversations.parent / "cases").glob("**/*.jsonl"))]
    assert len(files) > 40
    named, passed_over = Counter(), []
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            rows = [line for line in islice(lines, MOST) if line.strip()]
        first = [(Where(file.name, number, 0), loads(line)) for number, line in enumerate(rows[:100], start=1)]
        reading = detect(first, Reading())
        for line in rows:
            passed_over += [(file.name, path) for path in unaccounted(line, reading)]
            try:
                named.update((file.name, path) for path in reading.parse(json.loads(line)).account.unread)
            except RowError as error:
                named.update((file.name, f"{error.code} {path}") for path in error.facts.get("not_read", ()))
    print()
    for (name, path), rows in sorted(named.items()):
        print(f"{name}: {path} ({rows} rows)")
    # What stands in the row twice is read once: the tools of this row stand in its system message, too.
    assert set(passed_over) <= {("hermes_tags.jsonl", "tools"), ("think_dup.jsonl", "messages[].reasoning_content")}
