r"""A labelled sequence: token ids, labels, and the spans that tell what each token is.

input_ids  <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n  Hello <|im_end|> \n
labels     -100 ────────────────────────────────────────────────────  Hello <|im_end|> -100
spans      ├─ scaffold ───────┤├ content ┤├─ scaffold ─────────────┤  ├ content ┤├ stop ┤├ scaffold ┤
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from maskprep.arrays import Floats, Ints

IGNORED = -100
"""The label of a token that is not trained, as PyTorch's cross-entropy has it."""


class Span(NamedTuple):
    """Tokens ``start:end`` of one role and part; spans tile a row. ``message`` is -1 for text of no message.

    Messages are numbered as they are given to the template: where `adapt` changes a conversation, as it is then.
    """

    role: str
    part: str
    message: int
    start: int
    end: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A finished sequence: ``input_ids`` and unshifted ``labels``, of one length, and the spans that tile them.

    ``weights``, of the same length, is how much each token counts in the loss, 0 where it is not trained; None where
    every trained token counts 1.
    """

    input_ids: Ints
    labels: Ints
    spans: tuple[Span, ...]
    weights: Floats | None = None

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that are trained."""
        return int((self.labels != IGNORED).sum())

    def beginning(self, size: int) -> Labelled:
        """Return the first ``size`` tokens, with the spans that tile these."""
        spans = tuple(span._replace(end=min(span.end, size)) for span in self.spans if span.start < size)
        weights = None if self.weights is None else weights_or_none(self.weights[:size])
        return Labelled(self.input_ids[:size], self.labels[:size], spans, weights)


def weights_or_none(weights: Floats) -> Floats | None:
    """Return the weights of a sequence, None where every token that is trained counts 1."""
    return None if (weights[weights > 0] == 1).all() else weights
