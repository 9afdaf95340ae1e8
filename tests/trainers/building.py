"""Builds with the bundled tokenizer, in this process."""

from __future__ import annotations

import pyarrow as pa
from builds import run
from bundled import TOKENIZER


def built(folder, source, *more):
    """Build a data set into ``folder`` and return its rows as one record batch."""
    outcome = run("build", source, "--tokenizer", TOKENIZER, "--output", folder, *more)
    assert outcome.code == 0, outcome
    batches = [batch for path in sorted(folder.glob("*.arrow")) for batch in pa.ipc.open_stream(path.read_bytes())]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
