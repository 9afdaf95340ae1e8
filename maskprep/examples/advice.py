"""What would mend a row that a chat template stands in the way of: found by trying, never by habit.

    row rejected ─▶ its kind ─▶ the first of its kind: each remedy, then pairs ─▶ the hint
                                the others: what was found for the first

Rows of one kind have the same code and the same message but for what it quotes and counts, and the same adaptations
would change them: "roles must alternate" is said of many a conversation.

What is tried is the whole preparation of that row, under the changed setting. The number of kinds and of tries is
bounded; there is an adviser for each chunk, so that a hint depends on the rows of its chunk alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from maskprep.codes import fix_of
from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError
from maskprep.examples.preparer import Preparer
from maskprep.examples.remedies import Remedy, adaptations, mismatches, pairs, variables
from maskprep.examples.trial import Trial, changing

CODES = frozenset({"template-error", "prompt-mismatch", "content-dropped", "provenance-lost"})
"""The rejects for which something is tried."""

_MOST_KINDS = 12
_LONGEST = 50_000  # characters of a row that is tried: a longer one leaves it to a later row of its kind
_SHOWN = 4  # remedies that are named


@dataclass(frozen=True, slots=True)
class Advice:
    """What was found on the row at ``where``, by trying these ``keys`` of the configuration.

    ``fits`` mend it; ``thought``: so does reasoning in the data. ``lenient`` are ways to train turns all the same that
    the prompt does not fit.
    """

    where: Where
    keys: tuple[str, ...]
    fits: tuple[Remedy, ...]
    lenient: tuple[Remedy, ...] = ()
    thought: bool = False

    def hint(self, where: Where, code: str) -> str:
        """Return what is said of a row of the same kind that stands at ``where``."""
        whose = "this row" if where == self.where else f"{self.where}, which fails alike"
        mends = [*map(str, self.fits[:_SHOWN]), *(["reasoning in the data"] if self.thought else [])]
        less = " or ".join(map(str, self.lenient))
        if mends or (less and not self.keys):
            told = f"tried on {whose}, and it is used with {', or '.join(mends) or less}"
            return f"{told}; else with {less}" if mends and less else told
        if not self.keys:
            return f"nothing that can be set would change {whose}; {fix_of(code)}"
        told = f"tried on {whose}, and none helps: {', '.join(self.keys)}"
        return f"{told}; it is used with {less}" if less else f"{told}; {fix_of(code)}"

    def facts(self) -> dict[str, Any]:
        """Return the advice as JSON types."""
        return {
            "tried_on": str(self.where),
            "tried": list(self.keys),
            "fits": [str(remedy) for remedy in self.fits],
            **({"reasoning": True} if self.thought else {}),
            **({"else": [str(remedy) for remedy in self.lenient]} if self.lenient else {}),
        }


class Adviser:
    """Tries what could mend rejected rows.

    Args:
        preparer: rejected them.
    """

    def __init__(self, preparer: Preparer) -> None:
        self._preparer = preparer
        self._found: dict[tuple[str, ...], Advice] = {}

    def advise(self, error: RowError, where: Where, conversation: Conversation | None) -> RowError:
        """Return the error with a hint that was tried on its row, or on the first row of its kind.

        Args:
            error: why the row was rejected.
            where: where the row stands.
            conversation: what was read of it, None where it cannot be read.
        """
        if error.code not in CODES or conversation is None:
            return error
        kind = (error.code, unquoted(error.message), *changing(self._preparer, conversation))
        if kind not in self._found:
            if len(self._found) >= _MOST_KINDS or _length(conversation) > _LONGEST:
                return error
            self._found[kind] = self._tried(error, where, conversation)
        advice = self._found[kind]
        facts = {**error.facts, "advice": advice.facts()}
        return RowError(error.code, error.message, advice.hint(where, error.code), facts)

    def _tried(self, error: RowError, where: Where, conversation: Conversation) -> Advice:
        """Try what could mend a row."""
        with Trial(self._preparer, conversation) as trial:
            alone = [*adaptations(trial.policy), *variables(trial.template, conversation)]
            lenient = mismatches(trial.policy)
            fits = trial.fitting(alone)
            if error.code == "prompt-mismatch":
                fits = fits or trial.fitting(pairs(alone), most=1)
                return Advice(where, trial.keys, fits, trial.fitting(lenient), trial.fits_with_thoughts())
            fits = fits or trial.fitting(pairs([*alone, *lenient]), most=1)
            return Advice(where, trial.keys, fits)


def _length(conversation: Conversation) -> int:
    return sum(len(str(value)) for message in conversation.messages for value in message.fields.values())


def unquoted(message: str) -> str:
    """Return a message without what it quotes and counts."""
    return _NUMBERS.sub("0", _QUOTED.sub("…", message))


_QUOTED = re.compile(r"""(["'])(?:\\.|(?!\1).)*\1""", re.DOTALL)
_NUMBERS = re.compile(r"\d+")
