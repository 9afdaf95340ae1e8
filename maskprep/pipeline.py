"""From lines to shards: every row is used, or rejected with a reason; none stops the build, none vanishes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from maskprep.errors import MaskprepError, RowError
from maskprep.formats import Line, parse
from maskprep.prepare import Preparer
from maskprep.shards.files import ShardWriter
from maskprep.shards.schema import ShardRow
from maskprep.tally import Tally


def write_rows(  # noqa: PLR0913, PLR0917 - from where, and where to
    lines: Iterable[Line],
    preparer: Preparer,
    shards: ShardWriter,
    rejects: TextIO,
    findings: TextIO,
    seen: Callable[[Tally], None],
) -> Tally:
    """Prepare every line and write it to ``shards`` or, with its reason, to ``rejects``.

    Args:
        lines: the rows of all sources, in order.
        preparer: makes sequences of a conversation.
        shards: takes the rows that can be used.
        rejects: takes one JSON object a line for each row that cannot.
        findings: takes one JSON object a line for each finding about a row that was used.
        seen: is told the counts after each row.
    """
    tally = Tally()
    for line in lines:
        try:
            with guarded():
                prepared = preparer.prepare(parse(line))
        except RowError as error:
            tally.reject(line.where, error)
            rejects.write(_note(line, error.code, error.message, error.hint, error.facts))
        else:
            for number, sequence in enumerate(prepared.sequences):
                shards.write(ShardRow(sequence.labelled, line.where, number))
            findings.writelines(_note(line, finding.code, finding.detail) for finding in prepared.findings)
            tally.use(line.where, prepared)
        seen(tally)
    return tally


@contextmanager
def guarded() -> Iterator[None]:
    """Let a fault of ours cost the row that met it, and not the build: it is raised as ``internal-error``."""
    try:
        yield
    except MaskprepError:
        raise
    except Exception as error:
        msg = f"maskprep failed on this row: {type(error).__name__}: {error}"
        raise RowError("internal-error", msg, "this is a fault of maskprep: please report it with the row") from error


def _note(line: Line, code: str, message: str, hint: str = "", details: Mapping[str, Any] | None = None) -> str:
    where = line.where
    facts: dict[str, Any] = {"file": where.file, "line": where.line, "byte": where.offset}
    facts |= {"code": code, "message": message}
    facts |= {name: value for name, value in (("hint", hint), ("details", details)) if value}
    # ASCII only: a message may quote text that no encoding takes.
    return json.dumps(facts) + "\n"
