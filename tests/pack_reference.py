"""Documents end to end in one row, with what keeps them apart.

documents      A A A A          B B B
input_ids      a b c d          e f g
labels         - - c d          - f g        the first of a document is -100: what stands before is not its prompt
position_ids   0 1 2 3          0 1 2        models see by the restart where a document begins
seq_lengths    4                3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from maskprep.arrays import Floats, Ints, positions
from maskprep.labelled import IGNORED, Labelled


class PackedSpan(NamedTuple):
    """Tokens ``start:end`` of a packed row, of one kind; ``message`` counts within document ``document``, from 0."""

    document: int
    role: str
    part: str
    message: int
    start: int
    end: int
    trained: bool


@dataclass(frozen=True, slots=True)
class PackedRow:
    """One row of several documents.

    ``input_ids``, ``labels`` and ``position_ids`` (int64), and ``loss_weights`` (float32) where there are any, have one
    item a token. ``seq_lengths`` has the number of tokens of each document, in order. The spans tile the row.
    """

    input_ids: Ints
    labels: Ints
    position_ids: Ints
    seq_lengths: Ints
    spans: tuple[PackedSpan, ...]
    loss_weights: Floats | None = None


def pack_row(documents: Sequence[Labelled], loss_weights: Sequence[npt.ArrayLike] | None = None) -> PackedRow:
    """Return the documents as one row, in their order.

    Args:
        documents: at least one; none is empty.
        loss_weights: for each document one weight a token.

    Raises:
        ValueError: a document is empty, or a column of it has another length than its tokens.
    """
    sizes = [len(document.input_ids) for document in documents]
    if not sizes or min(sizes) < 1:
        raise ValueError("a packed row needs documents, each of at least one token")
    columns = [document.labels for document in documents], loss_weights or []
    for column in columns:
        if column and [len(np.asarray(values)) for values in column] != sizes:
            raise ValueError("a document needs one label and one loss weight a token")
    lengths = np.asarray(sizes, np.int64)
    starts = np.cumsum(lengths) - lengths
    labels = np.concatenate([document.labels for document in documents]).astype(np.int64)
    labels[starts] = IGNORED
    return PackedRow(
        np.concatenate([document.input_ids for document in documents]).astype(np.int64),
        labels,
        positions(lengths),
        lengths,
        tuple(
            PackedSpan(index, span.role, span.part, span.message, start + span.start, start + span.end, span.trained)
            for index, (document, start) in enumerate(zip(documents, starts.tolist(), strict=True))
            for span in document.spans
        ),
        None if loss_weights is None else np.concatenate([np.asarray(w, np.float32) for w in loss_weights]),
    )
