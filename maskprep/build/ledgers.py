"""The ledgers of a build: one JSON object a line for each rejected row, each finding, each dropped row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    facts: dict[str, Any] = {"file": where.file, "line": where.line, "byte": where.offset}
    facts |= {"code": code, "message": message}
    facts |= {name: value for name, value in (("hint", hint), ("details", details)) if value}
    # ASCII only: a message may quote text that no encoding takes.
    return json.dumps(facts) + "\n"
