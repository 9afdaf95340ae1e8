"""Rows of token ids in the conventions of many tools, read as documents: the ids, and which of them are trained.

    column                                    which tokens are trained
    labels                                    those whose label is not -100
    loss_mask, assistant_masks,               those whose mask is above 0; where there are several columns, all of
    completion_mask, label_mask …             them must say so
    a mask shorter than the ids               the mask is that of the last tokens (SkyRL)
    loss_mask beside seq_start_id             the token behind each one that is marked (Megatron)
    none of these                             all

A row that holds several documents is cut where ``seq_lengths``, ``seq_start_id``, a numbered ``attention_mask`` or
``position_ids`` say that one begins. The first token of a document is never trained: nothing stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from maskprep.arrays import Bools, Ints
from maskprep.dataset.trees import fault as tree_fault
from maskprep.dataset.trees import leaves
from maskprep.errors import MaskprepError
from maskprep.labelled import IGNORED

IDS = ("input_ids", "token_ids", "tokens")
"""The columns that token ids are looked for in, the first that is there."""

MASKS = ("loss_mask", "assistant_masks", "assistant_mask", "assistant_tokens_mask", "completion_mask", "label_mask")
"""The columns of zeros and ones that tell which tokens are trained."""


class NoTokensError(MaskprepError):
    """A row holds no token ids, or columns that do not fit them."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of somebody else's data: ``ids`` and ``trained``, both (tokens,).

    ``file`` and ``row`` say where it comes from (rows from 1), ``part`` which document of that row it is (from 0).
    ``wrong_labels`` counts labels that are not the ids at their places, ``padding`` the padded tokens that are trained;
    ``shifted``: the labels stand one place ahead of their ids.
    """

    ids: Ints
    trained: Bools
    file: str = ""
    row: int = 0
    part: int = 0
    wrong_labels: int = 0
    padding: int = 0
    shifted: bool = False

    @property
    def place(self) -> str:
        """Where the document comes from, in words."""
        return f"{self.file}:{self.row}" + (f" document {self.part}" if self.part else "")


def mask_columns(row: Mapping[str, Any]) -> list[str]:
    """Return the columns of a row that say which tokens are trained, none where nothing says so."""
    return [name for name in ("labels", *MASKS) if row.get(name) is not None]


def documents_of(row: Mapping[str, Any]) -> Iterator[Document]:
    """Yield the documents of one row. Raises ``NoTokensError`` where its columns are no token ids, or do not fit."""
    name = next((name for name in IDS if row.get(name) is not None), None)
    if name is None:
        said = ", ".join(sorted(map(str, row))[:_NAMED]) or "none"
        raise NoTokensError(f"no column of token ids: the columns are {said}", f"call it {' or '.join(IDS)}")
    ids = _ints(row, name)
    trained, wrong, shifted = _trained(row, ids)
    there, limits = _limits(row, ids)
    padding = int((trained & ~there).sum())
    ids, trained = ids[there], trained[there]
    number = 0
    for start, end in pairwise(limits):
        own = slice(start, end)
        for document in _sequences(row, ids[own], trained[own], start):
            first = number == 0  # tells what is told of the whole row
            yield replace(
                document,
                part=number,
                shifted=shifted,
                wrong_labels=wrong if first else 0,
                padding=padding if first else 0,
            )
            number += 1


def placed(documents: Iterator[Document], file: str, row: int) -> Iterator[Document]:
    """Yield documents with the place that their row comes from."""
    for document in documents:
        yield replace(document, file=file, row=row)


def _trained(row: Mapping[str, Any], ids: Ints) -> tuple[Bools, int, bool]:
    """Return which tokens of a row are trained, how many labels are wrong, and whether labels are shifted."""
    trained, wrong, shifted = np.ones(len(ids), np.bool_), 0, False
    for name in mask_columns(row):
        values = _ints(row, name)
        if name == "labels":
            _check_length(name, values, ids)
            marked = values != IGNORED
            wrong = int((marked & (values != ids)).sum())
            if wrong and _stand_ahead(values, ids):
                shifted, wrong, marked = True, 0, np.append(False, marked[:-1])
        else:
            marked = _placed_mask(row, name, values > 0, ids)
        trained &= marked
    return trained, wrong, shifted


def _stand_ahead(labels: Ints, ids: Ints) -> bool:
    """Tell whether each label is the id behind its place: nearly all are, and more than by chance."""
    marked = labels[:-1] != IGNORED
    here, ahead = labels[:-1] == ids[:-1], labels[:-1] == ids[1:]
    return bool(marked.any() and ahead[marked].all() and not here[marked].all())


def _placed_mask(row: Mapping[str, Any], name: str, marked: Bools, ids: Ints) -> Bools:
    if name == "loss_mask" and row.get("seq_start_id") is not None:
        _check_length(name, marked, ids)
        return np.append(False, marked[:-1])[: len(ids)]
    short = len(ids) - len(marked)
    if short > 0 and row.get("num_actions") is not None:
        return np.append(np.zeros(short, np.bool_), marked)
    _check_length(name, marked, ids)
    return marked


def _limits(row: Mapping[str, Any], ids: Ints) -> tuple[Bools, list[int]]:
    """Return which tokens are no padding, and where among these each document begins, and the last one ends."""
    there = np.ones(len(ids), np.bool_)
    numbers = None
    if row.get("attention_mask") is not None:
        numbers = _ints(row, "attention_mask")
        _check_length("attention_mask", numbers, ids)
        there = numbers > 0
    size = int(there.sum())
    starts = _starts(row, ids, there, numbers)
    inner = sorted({int(start) for start in starts if 0 < start < size})
    return there, [0, *inner, size]


def _starts(row: Mapping[str, Any], ids: Ints, there: Bools, numbers: Ints | None) -> list[int]:
    if row.get("seq_lengths") is not None:
        lengths = _ints(row, "seq_lengths")
        if (lengths < 0).any() or lengths.sum() > len(ids):
            raise NoTokensError(f"seq_lengths are {int(lengths.sum()):,} tokens, of {len(ids):,}", _ADVICE)
        return list(np.cumsum(lengths))
    if row.get("seq_start_id") is not None:
        return list(_ints(row, "seq_start_id"))
    if numbers is not None and len(numbers) and numbers.max() > 1:
        return list(np.flatnonzero(np.diff(numbers[there], prepend=0)))
    if row.get("position_ids") is not None and row.get("visible_until") is None:
        positions = _ints(row, "position_ids")
        _check_length("position_ids", positions, ids)
        return list(np.flatnonzero(positions[there] == 0))
    return []


def _sequences(row: Mapping[str, Any], ids: Ints, trained: Bools, start: int) -> Iterator[Document]:
    """Yield a document of a row, which begins at token ``start``, or the sequences of the tree that it is.

    A token that several of them share is trained in the one where most trained tokens follow it: that of its own turn.
    """
    paths = _paths(row, ids, start)
    best, whose = np.zeros(len(ids), np.int64), np.full(len(ids), -1, np.int64)
    for number, path in enumerate(paths):
        follow = _run_lengths(trained[path])
        better = follow > best[path]
        best[path[better]], whose[path[better]] = follow[better], number
    for number, path in enumerate(paths):
        own = whose[path] == number
        own[:1] = False
        yield Document(ids[path], own)


def _paths(row: Mapping[str, Any], ids: Ints, start: int) -> list[Ints]:
    """Return the paths of the tree that begins at token ``start``; all of an ordinary document is one."""
    if row.get("visible_until") is None or row.get("position_ids") is None:
        return [np.arange(len(ids))]
    end = start + len(ids)
    positions, until = _ints(row, "position_ids")[start:end], _ints(row, "visible_until")[start:end] - start
    _check_length("position_ids", positions, ids)
    _check_length("visible_until", until, ids)
    said = tree_fault(ids, np.full(len(ids), IGNORED), positions, until)
    if said:
        raise NoTokensError(said, _ADVICE)
    return leaves(positions)


def _run_lengths(marked: Bools) -> Ints:
    """Return of each token how many marked ones stand in a row from there on, 0 where it is not marked."""
    places = np.arange(len(marked))
    ends = np.where(marked, len(marked), places)
    return np.minimum.accumulate(ends[::-1])[::-1] - places


def _ints(row: Mapping[str, Any], name: str) -> Ints:
    """Return a column of a row as integers, (tokens,)."""
    value = row[name]
    if not isinstance(value, list):
        raise NoTokensError(f"{name} is no list", _ADVICE)
    if value and not all(type(item) is int or type(item) is bool for item in value):
        raise NoTokensError(f"{name} is no list of whole numbers", _ADVICE)
    try:
        return np.asarray(value, np.int64)
    except OverflowError as error:
        raise NoTokensError(f"{name} holds a number that is no token id", _ADVICE) from error


def _check_length(name: str, values: Any, ids: Ints) -> None:
    if len(values) != len(ids):
        raise NoTokensError(f"{name} has {len(values):,} items, the ids are {len(ids):,}", _ADVICE)


_NAMED = 12  # columns in a message
_ADVICE = "look at the row: another tool would not read it either"
