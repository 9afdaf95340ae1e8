"""Many texts encoded at once, one behind the other: arrays for all of them, where nothing is unusual about any.

    texts   │ text 0         │ text 1   │ text 2              │
    tokens  0                57         91                    164     all ids in one array, their places counted in
    bytes   0                210        333                   602     the bytes of all texts joined

What is computed of one text alone costs some calls of numpy, each longer than its work; for a hundred short texts they
are the same few calls. ``Encoder.encode`` and ``Encoder.contexts`` say what must come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_PIECE = 2**20  # characters


@dataclass(frozen=True, slots=True)
class Together:
    """Texts encoded one behind the other.

    ``ids`` are the ids of all texts (int64), ``edges`` where each token begins, and the last one ends, in bytes of
    UTF-8 of all texts joined; ``places`` where each character begins, None where each is one byte. Text ``i`` has the
    tokens ``tokens[i]:tokens[i + 1]`` and the bytes ``bytes[i]:bytes[i + 1]``.
    ``met`` tells of each text whether its ids begin with those of every one of its contexts, and whether no character
    of a context is in a token behind it.
    """

    ids: Ints
    edges: Ints
    tokens: Ints
    bytes: Ints
    places: Ints | None
    met: Bools

    def in_bytes(self, characters: Ints) -> Ints:
        """Return where characters, counted in all texts joined, stand in their bytes."""
        return characters if self.places is None else self.places[characters]


def places_of(raw: bytes) -> Ints | None:
    """Return at which byte of UTF-8 each character begins, and the end; None where all characters are one byte."""
    units = np.frombuffer(raw, np.uint8)
    first = (units & 0xC0) != 0x80  # noqa: PLR2004 - the bits that mark what follows in a character
    if first.all():
        return None
    return np.append(np.flatnonzero(first), len(raw))


def byte_limits(text: str, ends: Ints) -> Ints:
    """Return where stretches that tile a text end in its bytes of UTF-8; ``ends`` is where they end in characters."""
    if text.isascii():
        return ends
    return np.cumsum([_bytes_between(text, *edges) for edges in pairwise((0, *ends.tolist()))], dtype=np.int64)


def _bytes_between(text: str, start: int, end: int) -> int:
    """Return the size of a stretch of text in bytes. A long one is not copied as a whole."""
    return sum(len(text[at : min(at + _PIECE, end)].encode()) for at in range(start, end, _PIECE))


def limits_of(sizes: Iterable[int]) -> Ints:
    """Return where stretches of these sizes begin, one behind the other, and where the last one ends."""
    sizes = sizes if isinstance(sizes, np.ndarray) else np.fromiter(sizes, np.int64)
    limits = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=limits[1:])
    return limits


def holders(starts: Ints, ends: Ints, limits: Ints) -> tuple[Ints, Ints]:
    """Return the first and the last of the stretches that end at ``limits`` in which each token stands."""
    first = np.searchsorted(limits, starts, side="right")
    last = np.searchsorted(limits, np.maximum(ends - 1, starts), side="right")
    return np.minimum(first, len(limits) - 1), np.minimum(last, len(limits) - 1)


def begin_alike(ids: Ints, firsts: Ints, rests: Sequence[Ints], limits: Ints) -> Bools:
    """Tell of each of ``rests`` whether it stands in ``ids`` from the place in ``firsts`` on, ahead of its limit."""
    edges = limits_of(map(len, rests))
    sizes = np.diff(edges)
    found = np.arange(int(edges[-1])) + np.repeat(firsts - edges[:-1], sizes)
    differs = ids[np.minimum(found, len(ids) - 1)] != np.concatenate([*rests, np.zeros(0, np.int64)])
    wrong = np.bincount(np.repeat(np.arange(len(rests)), sizes)[differs], minlength=len(rests))
    alike: Bools = (wrong == 0) & (firsts + sizes <= limits)
    return alike
