"""What holds of any file whatever: its rows are conversations or rejected with a reason, and nothing else is raised."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

from maskprep.codes import DROPS, FINDINGS, REJECTS
from maskprep.conversation import Conversation, Where
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.formats import Line, Reading, detect, loads, parse
from maskprep.policy import ROLES
from maskprep.sources import open_source

MAX_BYTES = 1 << 16
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".jsonl.zst", ".csv.gz", ".parquet", ".arrow", "")
"""What the files of the corpus are called, by their first byte, which is none of the file's own."""

CODES = REJECTS.keys() | FINDINGS.keys() | DROPS.keys()
"""Every code that is explained."""


def read_file(path: Path) -> Counter[str]:
    """Read a file as a build does, and return how many of its rows came to what; see that they are sound."""
    try:
        opened = open_source(str(path), MAX_BYTES)
        lines = list(opened.lines)
        rows = [(line.where, value) for line in lines[:100] if (value := _value(line)) is not None]
        reading = detect(rows, Reading())
    except (UsageError, BuildError) as error:
        check_message(error)
        return Counter([type(error).__name__])
    check_places([line.where for line in lines], str(path))
    return Counter(read_row(line, reading) for line in lines)


def read_row(line: Line, reading: Reading) -> str:
    """Normalise one row; return ``used`` or the code of its reject."""
    assert len(line.data) <= MAX_BYTES
    assert not (line.fault and line.data)
    try:
        conversation = parse(replace(line, reading=reading))
    except RowError as error:
        return checked_code(error)
    check_conversation(conversation)
    return "used"


def checked_code(error: RowError) -> str:
    """Return the code of a reject; see that it is explained, and that a worker and a ledger can take it."""
    check_message(error)
    assert error.code in CODES, error.code
    assert pickle.loads(pickle.dumps(error)).code == error.code
    json.dumps(error.facts)
    return error.code


def _value(line: Line) -> object:
    if line.fault is not None:
        return None
    try:
        return loads(line.data)
    except RowError:
        return None


def check_message(error: UsageError | BuildError | RowError) -> None:
    """See that a message is short, and that a tracked string or bytes did not get into it."""
    assert type(error.message) is str
    assert 0 < len(error.message) < 2000, error.message
    assert len(error.hint) < 600


def check_places(places: list[Where], name: str) -> None:
    """See that rows are told apart by where they stand, in the order of the file."""
    assert all(place.file == name for place in places)
    numbers = [place.line for place in places]
    assert numbers == sorted(set(numbers))
    assert all(number >= 1 for number in numbers)


def check_conversation(conversation: Conversation) -> None:
    """See that what later steps rely on holds."""
    assert conversation.messages
    for message in conversation.messages:
        assert list(message.fields)[:2] == ["role", "content"]
        assert message.role in ROLES
        assert 0 <= message.weight < float("inf")
        assert None not in message.fields.values()
        for span in message.ranges:
            assert 0 <= span.start <= span.end <= len(message.fields[span.field])
            assert 0 <= span.weight < float("inf")
        for call in message.fields.get("tool_calls", ()):
            assert isinstance(call["function"]["arguments"], dict | str)
    assert not any(message.prefix for message in conversation.messages[:-1])
