"""What one conversation becomes: sequences ready to be written, and what was noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.conversation import Finding
from maskprep.examples.sequences import TrainingSequence
from maskprep.labelled import Labelled


@dataclass(frozen=True, slots=True)
class PreparedSequence:
    """A sequence ready to be written, with the text that it was made from.

    ``unfaithful`` counts the trained tokens of turns whose context is not the server's (``history: rendered``).
    ``kept`` are the indices of the messages that it was rendered from, None where none was left out; the spans name
    messages as they are numbered in the whole conversation, once it is adapted. ``cut`` tells that its end was cut off.
    """

    labelled: Labelled
    sequence: TrainingSequence
    unfaithful: int
    kept: tuple[int, ...] | None = None
    cut: bool = False

    @classmethod
    def of(cls, labelled: Labelled, sequence: TrainingSequence) -> PreparedSequence | None:
        """Return a sequence with its labels, None where nothing of it is trained."""
        trained = [span for span in labelled.spans if span.trained]
        if not trained:
            return None
        doubtful = {stretch.message for stretch in sequence.stretches if stretch.trained and not stretch.faithful}
        unfaithful = sum(span.end - span.start for span in trained if span.message in doubtful) if doubtful else 0
        return cls(labelled, sequence, unfaithful)

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.labelled.input_ids)

    @property
    def trained_messages(self) -> set[int]:
        """The messages of which some token is trained."""
        return {span.message for span in self.labelled.spans if span.trained}


@dataclass(frozen=True, slots=True)
class Loss:
    """How many tokens, and how many trained ones, a row had before it was made to fit, and has now."""

    tokens_before: int
    trained_before: int
    tokens: int
    trained: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one conversation becomes. ``loss`` is None where all of it fits."""

    sequences: tuple[PreparedSequence, ...]
    findings: tuple[Finding, ...]
    loss: Loss | None = None
