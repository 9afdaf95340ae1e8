"""Flat arrays of many things end to end: their types, where each thing begins, and which one each item is in.

things    │ 0      │ 1  │ 2        │
sizes       3        2    4
offsets   0        3    5          9        ``limits_of``: thing ``i`` has the items ``offsets[i]:offsets[i + 1]``
positions   0 1 2    0 1  0 1 2 3
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Kinds = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

_PIECE = 2**20  # characters


def positions(lengths: npt.ArrayLike) -> Ints:
    """Return position ids, 0, 1, 2 … for each document of these lengths, end to end (int64, one item a token)."""
    sizes = np.asarray(lengths, np.int64)
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def places_of(raw: bytes) -> Ints | None:
    """Return at which byte of UTF-8 each character begins, and the end; None where all characters are one byte."""
    if raw.isascii():
        return None
    # As signed numbers, the bytes that go on with a character are the least: 0b10xxxxxx.
    first = np.frombuffer(raw, np.int8) >= -64  # noqa: PLR2004
    return np.append(np.flatnonzero(first), len(raw))


def byte_limits(text: str, ends: Ints) -> Ints:
    """Return the places in a text's bytes of UTF-8 of ``ends``, where stretches that tile it end in characters."""
    if text.isascii():
        return ends
    return np.cumsum([_bytes_between(text, *edges) for edges in pairwise((0, *ends.tolist()))], dtype=np.int64)


def _bytes_between(text: str, start: int, end: int) -> int:
    """Return the size in bytes of ``text[start:end]``. A long stretch is not copied as a whole."""
    return sum(len(text[at : min(at + _PIECE, end)].encode()) for at in range(start, end, _PIECE))


def limits_of(sizes: Iterable[int]) -> Ints:
    """Return the offsets of things of these sizes, end to end: where each begins, and where the last one ends."""
    sizes = sizes if isinstance(sizes, np.ndarray) else np.fromiter(sizes, np.int64)
    limits = np.zeros(len(sizes) + 1, np.int64)
    sizes.cumsum(out=limits[1:])
    return limits


def last_alike(values: Ints) -> Bools:
    """Tell of each of some sorted values whether it is the last one of its like."""
    is_last = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=is_last[:-1])
    return is_last


def holders(starts: Ints, ends: Ints, limits: Ints) -> tuple[Ints, Ints]:
    """Return for each token ``starts:ends`` the first and the last stretch that it stands in; they end at ``limits``.

    Both are numbers of stretches, int64, one item a token.
    """
    first = np.searchsorted(limits, starts, side="right")
    last = np.searchsorted(limits, np.maximum(ends - 1, starts), side="right")
    return np.minimum(first, len(limits) - 1), np.minimum(last, len(limits) - 1)


def begin_alike(ids: Ints, firsts: Ints, rests: Sequence[Ints], limits: Ints) -> Bools:
    """Tell of each array in ``rests`` whether it stands in ``ids`` at its place in ``firsts`` and ends by its limit."""
    edges = limits_of(map(len, rests))
    sizes = edges[1:] - edges[:-1]  # as ``np.diff`` has it, which takes some microseconds of its own
    found = np.arange(int(edges[-1])) + np.repeat(firsts - edges[:-1], sizes)
    differs = ids[np.minimum(found, len(ids) - 1)] != np.concatenate([*rests, np.zeros(0, np.int64)])
    wrong = np.bincount(np.repeat(np.arange(len(rests)), sizes)[differs], minlength=len(rests))
    alike: Bools = (wrong == 0) & (firsts + sizes <= limits)
    return alike
