"""Builds with the bundled tokenizer, in this process."""

from __future__ import annotations

import pyarrow as pa
from bundled import TOKENIZER
from typer.testing import CliRunner

from maskprep.cli import app


def built(folder, source, *more):
    """Build a data set into ``folder`` and return its rows as one record batch."""
    words = ["build", str(source), "--tokenizer", str(TOKENIZER), "--output", str(folder), *more]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (result.output, result.exception)
    batches = [batch for path in sorted(folder.glob("*.arrow")) for batch in pa.ipc.open_stream(path.read_bytes())]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
