"""What a terminal was given, taken apart: text, styles, and the text that the marks stand for."""

from __future__ import annotations

import re

SGR = re.compile(r"\x1b\[([\d;]*)m")
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff]")
"""What text from data must never bring to a terminal; our own line breaks are let through."""

_BYTES = re.compile("(?:‹[0-9A-F]{2}›)+")
_SPELT = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\[rtn]")
_MARK = re.compile(f"{_BYTES.pattern}|{_SPELT.pattern}|↵\n|⇥|·|╎")


def stripped(output: str) -> str:
    """Return output without its styles; any other escape sequence stays."""
    return SGR.sub("", output)


def styled(output: str) -> list[tuple[str, frozenset[str]]]:
    """Return output as stretches of text, each with the codes that are in force."""
    codes: frozenset[str] = frozenset()
    found = []
    for index, piece in enumerate(SGR.split(output)):
        if index % 2:
            given = set(filter(None, piece.split(";")))
            codes = frozenset() if given <= {"0"} else codes | given
        elif piece:
            found.append((piece, codes))
    return found


def unmark(shown: str) -> bytes:
    """Return the bytes of the text that stands behind its marks. Text that itself holds marks cannot be told."""
    found, at = b"", 0
    for match in _MARK.finditer(shown):
        found += shown[at : match.start()].encode() + _meant(match[0])
        at = match.end()
    return found + shown[at:].encode()


def _meant(mark: str) -> bytes:
    if mark.startswith("‹"):
        return bytes.fromhex(mark.replace("‹", "").replace("›", ""))
    if mark.startswith("\\"):
        return mark.encode().decode("unicode_escape").encode()
    return {"↵\n": b"\n", "⇥": b"\t", "·": b" ", "╎": b""}[mark]
