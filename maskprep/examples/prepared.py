"""What one row becomes: a conversation, sequences ready to be written, and what was noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.conversation import Conversation, Finding
from maskprep.errors import MaskprepError, RowError
from maskprep.examples.guard import internal_error
from maskprep.examples.sequences import TrainingSequence
from maskprep.formats import Line
from maskprep.labelled import Labelled
from maskprep.template.turns.proved import Proved


@dataclass(frozen=True, slots=True)
class PreparedSequence:
    """A sequence ready to be written, with the text that it was made from.

    ``unfaithful`` counts the trained tokens of turns whose context is not the server's (``history: rendered``).
    ``kept`` are the indices of the messages that it was rendered from, None where none was left out; the spans name
    messages as they are numbered in the whole conversation, once it is adapted. ``cut`` tells that its end was cut off.
    ``branches`` are the sequences that a tree was made of; the other fields but ``labelled`` and ``unfaithful`` are
    those of the first of them.
    """

    labelled: Labelled
    sequence: TrainingSequence
    unfaithful: int
    kept: tuple[int, ...] | None = None
    cut: bool = False
    branches: tuple[PreparedSequence, ...] = ()

    @classmethod
    def of(cls, labelled: Labelled, sequence: TrainingSequence) -> PreparedSequence | None:
        """Return a sequence with its labels, None where nothing of it is trained."""
        trained = [span for span in labelled.spans if span.trained]
        if not trained:
            return None
        doubtful = {
            completion.message for completion in sequence.completions if completion.trained and not completion.faithful
        }
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


@dataclass(slots=True)
class PreparedRow:
    """What became of one row, so far as it came: exactly one of ``made`` and ``error`` at the end.

    ``conversation`` is what was read of the line, None where it cannot be read; ``proved`` what was proved of it, whose
    conversation is the adapted one; ``digest`` tells equal conversations, as they were adapted.
    """

    line: Line
    conversation: Conversation | None = None
    proved: Proved | None = None
    made: Prepared | None = None
    error: RowError | None = None
    digest: bytes = b""

    def fail(self, error: Exception) -> None:
        """Note why the row cannot be used. What fails through a fault of ours costs this row alone.

        Raises:
            MaskprepError: the error is of no row: a fast tokenizer differs.
        """
        if not isinstance(error, RowError):
            if isinstance(error, MaskprepError):
                raise error
            cause, error = error, internal_error(error)
            error.__cause__ = cause
        self.error, self.proved = _without_frames(error), None

    @property
    def lacked_memory(self) -> Exception | None:
        """The error, where the row failed for want of memory.

        Where memory is refused for a frame of its own, Python 3.11 raises a SystemError.
        """
        cause = None if self.error is None else self.error.__cause__
        return cause if isinstance(cause, MemoryError | SystemError) else None


def _without_frames(error: RowError) -> RowError:
    """Return an error that holds no frames any more: these would hold the row, and what was made of it, in a circle."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            waiting += (each.__cause__, each.__context__)
    return error
