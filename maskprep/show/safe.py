"""Text from data, made harmless for a terminal: control characters and their like are written as escapes."""

from __future__ import annotations

import unicodedata

_ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Joiners that emoji and several scripts are spelt with, and signs of Arabic that are visible.
_SHOWN = frozenset("\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")


def safe(text: str, *, keep: str = "") -> str:
    r"""Return ``text`` with everything that a terminal would act on written as an escape, as in ``\x1b``.

    Control characters (C0, C1, but for those in ``keep``), line and paragraph separators, invisible formatting such as
    bidirectional overrides, and code points that are no characters. Letters, combining marks and emoji stay.
    """
    return "".join(char if char in keep or not _acts(char) else _spelt(char) for char in text)


def _acts(char: str) -> bool:
    return unicodedata.category(char) in _ACTING and char not in _SHOWN


def _spelt(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
