"""Numbers and their nouns, in the singular or the plural."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return a number and its noun, as in ``1 row`` and ``3,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
