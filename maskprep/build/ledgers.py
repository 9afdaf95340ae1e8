"""The ledgers of a build: one JSON object a line for each rejected row, each finding, each dropped row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, TextIO

from maskprep.conversation import Finding, Where


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Files that take one JSON object a line: for each rejected row, each finding, each dropped row."""

    rejects: TextIO
    findings: TextIO
    dropped: TextIO


def note(where: Where, code: str, message: str, hint: str = "", details: Mapping[str, Any] | None = None) -> str:
    """Return a line of a ledger."""
    # ASCII only: a message may quote text that no encoding takes.
    rest = {name: value for name, value in (("hint", hint), ("details", details)) if value}
    more = f", {json.dumps(rest)[1:-1]}" if rest else ""
    return f'{_place(where)}"code": {quoted(code)}, "message": {quoted(message)}{more}}}\n'


def notes(where: Where, findings: Sequence[Finding]) -> str:
    """Return the lines of a ledger for the findings of one row: there may be one for each of its turns."""
    place = _place(where)
    return "".join([f'{place}"code": {quoted(f.code)}, "message": {quoted(f.detail)}}}\n' for f in findings])


def _place(where: Where) -> str:
    return f'{{"file": {quoted(where.file)}, "line": {where.line}, "byte": {where.offset}, '
