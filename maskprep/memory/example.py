"""What one row in memory becomes: an example to train on, or the reason why there is none."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from maskprep.arrays import Floats, Ints
from maskprep.codes import fix_of
from maskprep.conversation import Finding, Where
from maskprep.dataset.trees import visible_until
from maskprep.errors import RowError, UsageError
from maskprep.labelled import Labelled, Span

if TYPE_CHECKING:
    from maskprep.inspect.views import RowView, Viewer


class Rejected(RowError):  # noqa: N818 - it stands for a row, and is raised only where there is but one
    """A row that cannot be used: ``code`` is stable, ``message`` says why, ``hint`` what to do.

    ``facts`` holds more about it (JSON types), ``row`` is its number among the rows that were given, from 0.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", facts: dict[str, Any] | None = None, row: int = 0
    ) -> None:
        super().__init__(code, message, hint, facts)
        self.args = (code, message, hint, facts, row)
        self.row = row

    def __str__(self) -> str:
        """Return the code, the message and the hint."""
        return f"{self.code}: {super().__str__()}"

    @classmethod
    def of(cls, error: RowError, row: int) -> Rejected:
        """Return the error of a row as one that stands for it."""
        return cls(error.code, error.message, error.hint or fix_of(error.code), error.facts, row)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A row that can be trained on: its token ids, labels and spans, and what was noticed.

    A row may take several sequences (``history: split``, or ``overflow: split``): then ``len(example.sequences)`` is
    their number, each of them an example of its own, and ``input_ids`` and its kin are those of none: asking for them
    raises ``UsageError``.

    ``row`` is its number among the rows that were given, from 0; ``sequence`` the number of the sequence in the row.
    ``findings`` are codes with details; ``not_read`` are keys of the row that nothing read.
    """

    row: int
    labelled: tuple[Labelled, ...]
    findings: tuple[Finding, ...] = ()
    not_read: tuple[str, ...] = ()
    sequence: int = 0
    viewer: Viewer | None = field(default=None, repr=False, compare=False)

    @property
    def sequences(self) -> tuple[Example, ...]:
        """Each sequence as an example of its own."""
        if len(self.labelled) == 1:
            return (self,)
        return tuple(replace(self, labelled=(one,), sequence=number) for number, one in enumerate(self.labelled))

    @property
    def input_ids(self) -> Ints:
        """The token ids (tokens,), int64."""
        return self._only.input_ids

    @property
    def labels(self) -> Ints:
        """The id of each token that is trained, -100 elsewhere (tokens,), int64; unshifted."""
        return self._only.labels

    @property
    def spans(self) -> tuple[Span, ...]:
        """Role, part, message and place of each kind of text: they tile the tokens."""
        return self._only.spans

    @property
    def loss_weights(self) -> Floats | None:
        """How much each token counts in the loss (tokens,), None where every trained one counts 1."""
        return self._only.weights

    @property
    def logprobs(self) -> Floats | None:
        """The log-probability with which each token was sampled (tokens,), NaN for one that was not; None if none."""
        return self._only.logprobs

    @property
    def position_ids(self) -> Ints:
        """How many tokens each one sees ahead of it (tokens,), int64: 0, 1, 2 … but in a tree."""
        only = self._only
        return np.arange(len(only.input_ids)) if only.positions is None else only.positions

    @property
    def visible_until(self) -> Ints:
        """The token until which each one is seen (tokens,), int64: what makes the attention mask of a tree."""
        return visible_until(self.position_ids)

    @property
    def is_tree(self) -> bool:
        """Whether this is a tree, which needs its own attention mask."""
        return self._only.positions is not None

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self._only.input_ids)

    def __bool__(self) -> bool:
        """Return True: there is an example, of however many sequences."""
        return True

    @property
    def trained_tokens(self) -> int:
        """The number of trained tokens, in all sequences."""
        return sum(each.trained_tokens for each in self.labelled)

    def columns(self, *, trees: bool = False) -> dict[str, Any]:
        """Return the columns that a trainer reads, as lists; ``trees`` adds those that trees need."""
        made: dict[str, Any] = {"input_ids": self.input_ids.tolist(), "labels": self.labels.tolist()}
        if trees or self.is_tree:
            made |= {"position_ids": self.position_ids.tolist(), "visible_until": self.visible_until.tolist()}
        if self.loss_weights is not None:
            made["loss_weights"] = self.loss_weights.tolist()
        return made

    def show(self, *, full: bool = False) -> None:
        """Print the text on a terminal with the mask in colour; ``full``: long masked stretches, too."""
        from maskprep.show.notebook import print_views  # noqa: PLC0415 - rich is not for training code

        print_views(sys.stdout, self.views(), full=full)

    def views(self) -> list[RowView]:
        """Return what ``maskprep inspect`` shows of each sequence. Raises UsageError where the tokens are not known."""
        if self.viewer is None:
            raise UsageError(
                "this example came from another process, without its tokenizer", "use masker.show(example)"
            )
        found = [(finding.code, finding.detail) for finding in self.findings]
        where = Where("row", self.row, -1)
        return [
            self.viewer.view(self.row, where, n, each, found) for n, each in enumerate(self.labelled, self.sequence)
        ]

    def _repr_html_(self) -> str:
        """Return the mask in colour, for a notebook."""
        from maskprep.show.notebook import html_of  # noqa: PLC0415 - as above

        return html_of(self.views())

    @property
    def _only(self) -> Labelled:
        if len(self.labelled) == 1:
            return self.labelled[0]
        msg = f"row {self.row} takes {len(self.labelled)} sequences, one for each context that a turn was written in"
        raise UsageError(
            msg, "use example.sequences; history='tree' makes one row of them, history='mask' trains fewer"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what another process needs: its tokens it has itself."""
        return Example, (self.row, self.labelled, self.findings, self.not_read, self.sequence)
