"""``maskprep probe``: what a chat template does, found by running it on small conversations of our own.

With a source, what would become of its first rows as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from maskprep.config import Config
from maskprep.examples import Preparer
from maskprep.examples.advice import Adviser
from maskprep.examples.history_cost import SAMPLE_ROWS
from maskprep.examples.inputs import Inputs
from maskprep.examples.tally import Tally
from maskprep.formats import Line
from maskprep.policy import Policy
from maskprep.probe import fields as probe_fields
from maskprep.probe import fit as probe_fit
from maskprep.probe import history as probe_history
from maskprep.probe import marks as probe_marks
from maskprep.probe import rules as probe_rules
from maskprep.probe import turns as probe_turns
from maskprep.probe.doctor import Capability, capabilities, own_rows
from maskprep.probe.prober import Prober, Statement
from maskprep.recommend.choose import recommend
from maskprep.recommend.commented import commented
from maskprep.recommend.configuration import configuration, written
from maskprep.recommend.recommendation import Recommendation
from maskprep.recommend.sample import sample_of

STATEMENTS: tuple[Callable[[Prober], Statement], ...] = (
    *probe_fields.STATEMENTS,
    *probe_turns.STATEMENTS,
    *probe_fit.STATEMENTS,
    *probe_rules.STATEMENTS,
    *probe_history.STATEMENTS,
    *probe_marks.STATEMENTS,
)
"""The functions that make the statements about a template, in the order of the report."""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The statements about a template, what it can train, and the counts of the first rows.

    ``recommended`` was tried on the first rows; on conversations of our own where ``rows`` is None, without a source.
    ``configuration`` is YAML to paste, with what is recommended; ``commented`` the same with every line explained.
    """

    tokenizer: str
    templates: tuple[str, ...]
    statements: tuple[Statement, ...]
    capabilities: tuple[Capability, ...]
    recommended: Recommendation | None
    configuration: str
    commented: str
    rows: FirstRows | None

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "tokenizer": self.tokenizer,
            "templates_sha256": list(self.templates),
            "statements": {statement.name: statement.facts() for statement in self.statements},
            "capabilities": {each.name: each.facts() for each in self.capabilities},
            "recommended": self.recommended.facts() if self.recommended else None,
            "configuration": self.configuration,
            **({"rows": self.rows.facts()} if self.rows else {}),
        }


def probe(inputs: Inputs, *, rows: bool) -> ProbeReport:
    """Return the report about the template of ``inputs`` and, with ``rows``, about the first rows of its sources."""
    prober = Prober(inputs.preparer, inputs.now)
    sources = sorted({template.source for template in inputs.preparer.templates.values()})
    said = statements(prober)
    plain, strict = _as_it_is(inputs.config), inputs.preparer.under(Policy())
    can = capabilities(plain, strict, prober, next(each for each in said if each.name == "fields"))
    if rows:
        lines = list(islice(inputs.lines(), SAMPLE_ROWS))
        found: FirstRows | None = first_rows(lines, inputs.preparer)
        recommended = recommend(inputs.config, inputs.preparer, sample_of(lines))
    else:
        found, recommended = None, recommend(plain, strict, own_rows(prober, can))
    settings = recommended.settings.values if recommended else {}
    values = configuration(inputs.config if rows else plain, settings)
    return ProbeReport(
        tokenizer=inputs.loaded.name,
        templates=tuple(hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest() for source in sources),
        statements=said,
        capabilities=can,
        recommended=recommended,
        configuration=written(values),
        commented=commented(values, recommended),
        rows=found,
    )


def _as_it_is(config: Config) -> Config:
    """Return a configuration without settings for rows: the template is probed as it is."""
    return config.model_copy(update={name: Config.model_fields[name].default for name in _FOR_ROWS})


_FOR_ROWS = ("history", "prompt_mismatch", "adapt", "max_rejects", "max_expansion", "control_tokens", "max_length")


def statements(prober: Prober) -> tuple[Statement, ...]:
    """Return all statements about a template."""
    return tuple(state(prober) for state in STATEMENTS)


@dataclass(slots=True)
class FirstRows:
    """The counts of the first rows; ``split`` are those that became several sequences."""

    tally: Tally = field(default_factory=Tally)
    split: int = 0

    def facts(self) -> dict[str, Any]:
        """Return all counts as JSON types."""
        return {**self.tally.facts(), "rows_split": self.split}


def first_rows(lines: Iterable[Line], preparer: Preparer) -> FirstRows:
    """Return the counts of the first rows, prepared as a build would prepare them; nothing is written."""
    found, adviser = FirstRows(), Adviser(preparer)
    for rows in preparer.prepared(islice(lines, SAMPLE_ROWS)):
        for row in rows:
            if row.error is not None:
                found.tally.reject(row.line.where, adviser.advise(row.error, row.line.where, row.conversation))
            elif row.made is not None:
                found.tally.use(row.line.where, row.made)
                found.split += len(row.made.sequences) > 1
    return found
