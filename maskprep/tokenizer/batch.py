"""Many texts encoded at once, one behind the other: arrays for all of them, where nothing is unusual about any.

    texts   │ text 0         │ text 1   │ text 2              │
    tokens  0                57         91                    164     all ids in one array, their places counted in
    bytes   0                210        333                   602     the bytes of all texts joined

For a single short text numpy's calls take longer than their work; for a hundred texts they are as few.
``Encoder.encode`` and ``Encoder.contexts``, which take one text, must give the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.arrays import Bools, Ints


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Texts encoded one behind the other.

    ``ids`` are the ids of all texts (int64), ``edges`` where each token begins, and the last one ends, in bytes of
    UTF-8 of all texts joined; ``places`` where each character begins, None where each is one byte. Text ``i`` has the
    tokens ``tokens[i]:tokens[i + 1]`` and the bytes ``bytes[i]:bytes[i + 1]``.
    ``prefix_ok`` tells of each text whether its ids begin with those of each of its contexts, and no character of a
    context is in a token behind it.
    """

    ids: Ints
    edges: Ints
    tokens: Ints
    bytes: Ints
    places: Ints | None
    prefix_ok: Bools

    def in_bytes(self, characters: Ints) -> Ints:
        """Return the places in bytes of the places ``characters``; both count in all texts joined."""
        return characters if self.places is None else self.places[characters]
