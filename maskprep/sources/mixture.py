"""How often a row is used: decided by a hash of its place, so that no order and no worker changes it."""

from __future__ import annotations

import hashlib
import math


def chance(seed: int, *key: object) -> float:
    """Return a number from 0 up to 1 that is always the same for the same seed and key, and looks random."""
    text = "\0".join(map(str, (seed, *key))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2**56


def copies(weight: float, seed: int, source: int, file: int, line: int) -> int:
    """Return how many times a row is used: ``weight`` on average, the whole part of it at least.

    ``source`` is the number of the configured source, ``file`` that of the file within it, ``line`` that of the row.
    """
    whole = math.floor(weight)
    rest = weight - whole
    return whole + (rest > 0 and chance(seed, "weight", source, file, line) < rest)
