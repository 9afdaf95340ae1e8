"""The ledgers of a build: one JSON object a line for each rejected row, each finding, each dropped row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, TextIO

from maskprep.conversation import Where


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Files that take one JSON object a line: for each rejected row, each finding, each dropped row."""

    rejects: TextIO
    findings: TextIO
    dropped: TextIO


def note(where: Where, code: str, message: str, hint: str = "", details: Mapping[str, Any] | None = None) -> str:
    """Return a line of a ledger."""
    # ASCII only: a message may quote text that no encoding takes. There may be one for each turn of each row: what
    # comes with all of them is put together by hand.
    begun = f'{{"file": {quoted(where.file)}, "line": {where.line}, "byte": {where.offset}, "code": {quoted(code)}, '
    rest = {name: value for name, value in (("hint", hint), ("details", details)) if value}
    more = f", {json.dumps(rest)[1:-1]}" if rest else ""
    return f'{begun}"message": {quoted(message)}{more}}}\n'
