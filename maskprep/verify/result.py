"""The result of a check, in plain facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_NAMED = 10  # faults that a result holds word for word


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check.

    ``said`` is a plain sentence, ``figures`` the numbers counted or measured, by name. ``faults`` are the first of
    ``fault_count`` faults, ``flags`` what deserves a look though nothing is wrong, ``advice`` what to do when the check
    failed, and ``facts`` what only a report draws (JSON types).
    """

    name: str
    verdict: Verdict
    said: str
    figures: Mapping[str, int | float | str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    fault_count: int = 0
    flags: tuple[str, ...] = ()
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return {
            "check": self.name,
            "verdict": str(self.verdict),
            "said": self.said,
            "figures": _json(self.figures),
            "faults": list(self.faults),
            "fault_count": self.fault_count,
            "flags": list(self.flags),
            "advice": self.advice,
            "facts": _json(self.facts),
        }


def _json(value: Any) -> Any:
    """Return a value with null for what JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def skipped(name: str, reason: str) -> Result:
    """Return the result of a check that could not be made, or had nothing to look at."""
    return Result(name, Verdict.SKIPPED, reason)


class Faults:
    """Collects the faults that a check finds: the first ones word for word, the rest as a number."""

    def __init__(self) -> None:
        self.named: list[str] = []
        self.count = 0

    def add(self, text: str, count: int = 1) -> None:
        """Note a fault, which stands for ``count`` faults of its kind."""
        self.count += count
        if len(self.named) < _NAMED:
            self.named.append(text)

    def result(  # noqa: PLR0913 - the fields of a result
        self,
        name: str,
        passed: str,
        failed: str,
        advice: str,
        *,
        figures: Mapping[str, int | float | str] | None = None,
        flags: tuple[str, ...] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> Result:
        """Return the check's result: failed where there is a fault, with the sentence and the advice that fit."""
        verdict = Verdict.FAILED if self.count else Verdict.PASSED
        said = failed if self.count else passed
        told = advice if self.count else ""
        return Result(name, verdict, said, figures or {}, tuple(self.named), self.count, flags, told, facts or {})
