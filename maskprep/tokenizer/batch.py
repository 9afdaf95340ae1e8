"""Many texts encoded at once, one behind the other: arrays for all of them, where nothing is unusual about any.

    texts   │ text 0         │ text 1   │ text 2              │
    tokens  0                57         91                    164     all ids in one array, their places counted in
    bytes   0                210        333                   602     the bytes of all texts joined

What is computed of one text alone costs some calls of numpy, each longer than its work; for a hundred short texts they
are the same few calls. ``Encoder.encode`` and ``Encoder.contexts`` say what must come out.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskprep.arrays import Bools, Ints


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
