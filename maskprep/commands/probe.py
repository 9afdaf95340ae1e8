"""``maskprep probe``: what a chat template does, found by running it on small conversations of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskprep.commands import probe_fields, probe_fit, probe_history, probe_marks, probe_rules, probe_turns
from maskprep.commands.inputs import Inputs
from maskprep.commands.probe_prober import Prober, Statement
from maskprep.commands.probe_rows import FirstRows, first_rows

STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (
    *probe_fields.STATEMENTS,
    *probe_turns.STATEMENTS,
    *probe_fit.STATEMENTS,
    *probe_rules.STATEMENTS,
    *probe_history.STATEMENTS,
    *probe_marks.STATEMENTS,
)
"""What is told about a template, in this order."""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was found. ``rows`` None: no source was given."""

    tokenizer: str
    templates: tuple[str, ...]
    statements: tuple[Statement, ...]
    rows: FirstRows | None

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "tokenizer": self.tokenizer,
            "templates_sha256": list(self.templates),
            "statements": {statement.name: statement.facts() for statement in self.statements},
            **({"rows": self.rows.facts()} if self.rows else {}),
        }


def probe(inputs: Inputs, *, rows: bool) -> ProbeReport:
    """Probe the template of ``inputs``; with ``rows``, try the first rows of its sources as well."""
    prober = Prober(inputs.preparer, inputs.now)
    sources = sorted({template.source for template in inputs.preparer.templates.values()})
    return ProbeReport(
        tokenizer=inputs.loaded.name,
        templates=tuple(hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest() for source in sources),
        statements=statements(prober),
        rows=first_rows(inputs.lines(), inputs.preparer) if rows else None,
    )


def statements(prober: Prober) -> tuple[Statement, ...]:
    """Return everything that is told about a template."""
    return tuple(state(prober) for state in STATEMENTS)
