"""What is recommended for given conversations, with what was tried and what each other choice would mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskprep.examples.history_cost import Cost, Costs
from maskprep.examples.remedies import Remedy
from maskprep.policy import History


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another choice that was tried on the same rows: its settings, what it costs and trains, what it means."""

    settings: Remedy
    cost: Cost
    times: float
    means: str

    def facts(self) -> dict[str, Any]:
        """Return the choice as JSON types; ``times``: how many times the tokens of one rendering."""
        return {
            "settings": self.settings.values,
            "rows_used": self.cost.rows,
            "sequences": self.cost.sequences,
            "tokens": self.cost.tokens,
            "times": round(self.times, 3),
            "trained_tokens": self.cost.trained_tokens,
            "unfaithful_tokens": self.cost.unfaithful_tokens,
            "means": self.means,
        }


@dataclass(frozen=True, slots=True)
class Left:
    """Rows of one kind that no faithful setting mends: their code, how many, where the first is, and why."""

    code: str
    rows: int
    where: str
    why: str

    def facts(self) -> dict[str, Any]:
        """Return the kind as JSON types."""
        return {"code": self.code, "rows": self.rows, "example": self.where, "why": self.why}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Settings to add, and what they make of the sample.

    ``rows``: how many were tried; ``used_before`` and ``used``: how many could be used without and with the settings.
    ``chosen`` tells what they cost and train. ``left``: rows that no faithful setting mends. ``others``: other choices.
    ``costs``: of every history. ``lost``: parts of messages that the template leaves out, and of how many rows.
    """

    settings: Remedy
    rows: int
    used_before: int
    used: int
    chosen: Alternative
    left: tuple[Left, ...]
    others: tuple[Alternative, ...]
    why: tuple[str, ...]
    costs: Costs
    lost: Mapping[str, int]

    @property
    def useful(self) -> bool:
        """Whether a build with these settings has any row."""
        return self.used > 0

    @property
    def good(self) -> bool:
        """Whether nearly all rows can be used with these settings, of those that another template could render."""
        unreadable = sum(each.rows for each in self.left if each.code not in _OF_TEMPLATE)
        return self.used >= _NEARLY_ALL * (self.rows - unreadable)

    @property
    def blames_template(self) -> bool:
        """Whether rows are left over that another template may render; all others have to be mended."""
        return any(each.code in _OF_TEMPLATE for each in self.left)

    def price(self, history: History) -> float:
        """Return how many times the tokens of one rendering a history takes with these settings."""
        return self.costs.times(history)

    def summary(self) -> str:
        """Return what the settings were tried on and what they do there, as one sentence."""
        without = f" (without: {self.used_before:,})" if self.used_before != self.used else ""
        trained, tokens = self.chosen.cost.trained_tokens, self.chosen.cost.tokens
        return (
            f"tried on {self.rows:,} of these rows: {self.used:,} used{without}, "
            f"{self.chosen.times:.2f} times the tokens of one rendering, {trained:,} of {tokens:,} tokens trained"
        )

    def advice(self) -> str:
        """Return what to do, as one line for an error's hint."""
        lost = "; ".join(f"{each.rows:,} rows ({each.code}): {each.why}" for each in self.left)
        if not self.useful and not self.blames_template:
            return f"mend the rows: none of them can be used as it is: {lost}"
        if not self.useful:
            return f"take another chat template: no setting makes these rows trainable with this one: {lost}. {SEE}"
        options = str(self.settings) or "nothing else than what was given"
        return f"recommended: {options}; {self.summary()}" + (f". Left out: {lost}" if lost else "")

    def facts(self) -> dict[str, Any]:
        """Return the recommendation as JSON types."""
        return {
            "settings": self.settings.values,
            "rows": self.rows,
            "rows_used": self.used,
            "rows_used_before": self.used_before,
            "useful": self.useful,
            "good": self.good,
            "blames_template": self.blames_template,
            "chosen": self.chosen.facts(),
            "why": list(self.why),
            "summary": self.summary(),
            "left": [each.facts() for each in self.left],
            "alternatives": [each.facts() for each in self.others],
        }


_NEARLY_ALL = 0.95
_OF_TEMPLATE = frozenset(
    {"template-error", "prompt-mismatch", "content-dropped", "foreign-text", "provenance-lost", "template-limit"}
)
SEE = "`maskprep probe` tells what a template can do"
