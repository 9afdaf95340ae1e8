"""OLMo-core: mapped rows as the flat arrays that its packed data set reads, with masks and the bounds of rows.

    token_ids_part_0000.npy     raw ids, end to end, without a header: uint16, or uint32 where the vocabulary needs it
    token_ids_part_0000.csv.gz  where each row begins and ends
    labels_mask_part_0000.npy   raw bools: whether the token is trained; OLMo-core shifts it by itself

It must be told ``use_array_if_local=False``: otherwise it looks for rows by their eos, which ends each turn in many
chat templates, and takes every turn for a document that sees no other.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskprep.errors import UsageError
from maskprep.integrations.rows import taken
from maskprep.labelled import IGNORED

_ROWS = 1000  # of a data set that are taken out of it at a time


@dataclass(frozen=True, slots=True)
class Arrays:
    """What OLMo-core is told: ``paths``, ``label_mask_paths`` and ``dtype`` (``uint16`` or ``uint32``)."""

    paths: tuple[str, ...]
    label_mask_paths: tuple[str, ...]
    dtype: str


def write(data: Any, folder: str | Path, vocabulary: int, *, part_tokens: int = 2**28) -> Arrays:
    """Write a data set that ``Masker.map`` made into a new folder.

    Args:
        data: the mapped rows.
        folder: where the arrays go.
        vocabulary: how many ids there are: OLMo-core derives the type of the ids from ``vocab_size``, too.
        part_tokens: a part of the arrays ends with the row that reaches so many tokens.

    Raises:
        UsageError: the folder has something in it, or rows are trees or weigh their tokens.
    """
    data, place = taken(data, "OLMo-core"), Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise UsageError(f"{str(place)!r} is not empty", "name a new folder")
    # 65,536 ids fit into uint16, and OLMo-core sees it so.
    kind: Any = np.uint16 if vocabulary - 1 <= np.iinfo(np.uint16).max else np.uint32
    parts, rest = 0, _rows(data)
    row = next(rest, None)
    while row is not None:
        names = [place / name for name in _names(parts)]
        with ExitStack() as stack:
            ids, mask = (stack.enter_context(name.open("wb")) for name in names[:2])
            bounds = stack.enter_context(gzip.open(names[2], "wt", encoding="ascii"))
            start = 0
            while row is not None and start < part_tokens:
                tokens, labels = row
                ids.write(tokens.astype(kind).tobytes())
                mask.write((labels != IGNORED).tobytes())
                bounds.write(f"{start},{start + len(tokens)}\n")
                start += len(tokens)
                row = next(rest, None)
        parts += 1
    made = [[str(place / name) for name in _names(number)] for number in range(parts)]
    return Arrays(tuple(each[0] for each in made), tuple(each[1] for each in made), np.dtype(kind).name)


def _names(number: int) -> tuple[str, str, str]:
    part = f"part_{number:04d}"
    return f"token_ids_{part}.npy", f"labels_mask_{part}.npy", f"token_ids_{part}.csv.gz"


def _rows(data: Any) -> Iterator[tuple[Any, Any]]:
    for batch in data.with_format("numpy").iter(batch_size=_ROWS):
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
            if len(ids):
                yield np.asarray(ids), np.asarray(labels)
