"""What a build counts: rows, tokens by role and part, rejects and findings with an example each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from maskprep.conversation import Finding, Where
from maskprep.errors import RowError
from maskprep.prepare import Prepared


@dataclass(slots=True)
class Noticed:
    """How many rows showed something, and the first of them."""

    rows: int
    where: Where
    message: str
    hint: str = ""

    def facts(self) -> dict[str, Any]:
        """Return the same as JSON types."""
        example = {"file": self.where.file, "line": self.where.line, "message": self.message}
        return {"rows": self.rows, "example": example, **({"hint": self.hint} if self.hint else {})}


@dataclass(slots=True)
class Tally:
    """The counts of a build so far. rows = used + rejected, always."""

    used: int = 0
    rejected: int = 0
    sequences: int = 0
    tokens: int = 0
    trained: int = 0
    unfaithful: int = 0
    longest: int = 0
    tokens_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    trained_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejects: dict[str, Noticed] = field(default_factory=dict)
    findings: dict[str, Noticed] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The number of rows read."""
        return self.used + self.rejected

    @property
    def reject_fraction(self) -> float:
        """The fraction of the rows that were rejected, 0 where there are none."""
        return self.rejected / self.rows if self.rows else 0.0

    def reject(self, where: Where, error: RowError) -> None:
        """Count a rejected row."""
        self.rejected += 1
        _count(self.rejects, error.code, where, error.message, error.hint)

    def use(self, where: Where, prepared: Prepared) -> None:
        """Count a row that was used."""
        self.used += 1
        for sequence in prepared.sequences:
            self.sequences += 1
            self.tokens += len(sequence.labelled.input_ids)
            self.longest = max(self.longest, len(sequence.labelled.input_ids))
            self.unfaithful += sequence.unfaithful
            for span in sequence.labelled.spans:
                self.tokens_by[span.role, span.part] += span.end - span.start
                if span.trained:
                    self.trained_by[span.role, span.part] += span.end - span.start
                    self.trained += span.end - span.start
        seen: dict[str, Finding] = {}
        for finding in prepared.findings:
            seen.setdefault(finding.code, finding)
        for finding in seen.values():
            _count(self.findings, finding.code, where, finding.detail)

    def facts(self) -> dict[str, Any]:
        """Return all counts as JSON types."""
        return {
            "rows": self.rows,
            "rows_used": self.used,
            "rows_rejected": self.rejected,
            "sequences": self.sequences,
            "tokens": self.tokens,
            "trained_tokens": self.trained,
            "unfaithful_tokens": self.unfaithful,
            "longest_sequence": self.longest,
            "by_role_and_part": [
                {"role": role, "part": part, "tokens": count, "trained_tokens": self.trained_by[role, part]}
                for (role, part), count in sorted(self.tokens_by.items())
            ],
            "rejects": {code: noticed.facts() for code, noticed in sorted(self.rejects.items())},
            "findings": {code: noticed.facts() for code, noticed in sorted(self.findings.items())},
        }


def _count(table: dict[str, Noticed], code: str, where: Where, message: str, hint: str = "") -> None:
    if code in table:
        table[code].rows += 1
    else:
        table[code] = Noticed(1, where, message, hint)
