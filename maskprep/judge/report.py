"""What judging found: faults by kind, in tokens and per 1,000 trained ones, and documents as examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskprep.inspect.views import RowView
from maskprep.judge.faults import MEANINGS, Kind


@dataclass(slots=True)
class Count:
    """How often a kind of fault was found, and the places of the first documents that have it."""

    tokens: int = 0
    documents: int = 0
    places: list[str] = field(default_factory=list)


@dataclass(slots=True)
class JudgeReport:
    """The report of ``maskprep judge``.

    ``masks`` are the columns that told what is trained, ``whole`` whether all rows were read. ``by_source`` counts the
    documents that were held against their source rows, ``alone`` those of which only ids and mask were looked at,
    ``why_alone`` the reasons. ``missing`` counts source rows that no document holds, of ``source_rows``.
    """

    path: str
    masks: list[str]
    rows: int
    whole: bool
    unreadable: Mapping[str, int]
    documents: int = 0
    tokens: int = 0
    trained: int = 0
    turns: int = 0
    by_source: int = 0
    alone: int = 0
    why_alone: Counter[str] = field(default_factory=Counter)
    source_rows: int | None = None
    missing: int = 0
    first_missing: str = ""
    faults: dict[Kind, Count] = field(default_factory=dict)
    faulty: int = 0
    examples: list[RowView] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.faults or self.unreadable) or not self.documents

    def per_thousand(self, kind: Kind) -> float:
        """Return the tokens of a kind of fault per 1,000 trained tokens."""
        count = self.faults.get(kind)
        return 1000 * count.tokens / max(self.trained, 1) if count else 0.0

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "path": self.path,
            "wrong": self.wrong,
            "mask_columns": self.masks,
            "rows": self.rows,
            "whole": self.whole,
            "documents": self.documents,
            "tokens": self.tokens,
            "trained_tokens": self.trained,
            "trained_turns": self.turns,
            "held_against_source": self.by_source,
            "without_source": self.alone,
            "why_without_source": dict(self.why_alone),
            "source_rows": self.source_rows,
            "source_rows_without_document": self.missing,
            "first_source_row_without_document": self.first_missing,
            "faulty_documents": self.faulty,
            "unreadable_rows": dict(self.unreadable),
            "faults": {
                str(kind): {
                    "title": MEANINGS[kind].title,
                    "tokens": count.tokens,
                    "per_1000_trained": round(self.per_thousand(kind), 3),
                    "documents": count.documents,
                    "first": count.places,
                    "fix": MEANINGS[kind].fix,
                }
                for kind, count in self.faults.items()
            },
            "examples": [view.facts() for view in self.examples],
        }
