"""Text from data, made harmless for a terminal: what would act is spelt out instead."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NEUTRAL = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe(text: str, *, keep: str = "") -> str:
    r"""Return ``text`` with everything that a terminal would act on written as an escape, as in ``\x1b``.

    Control characters (C0, C1, but for those in ``keep``), line and paragraph separators, bidirectional overrides, and
    code points that are no characters. Letters, combining marks and emoji stay as they are.
    """
    return "".join(char if char in keep or not _acts(char) else _spelt(char) for char in text)


def _acts(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in _NEUTRAL


def _spelt(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
