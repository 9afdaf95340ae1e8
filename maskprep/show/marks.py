"""Text of tokens made visible: white space as marks, control characters as escapes, parts of a character as bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from maskprep.inspect.views import TokenView
from maskprep.show.safe import safe

OPEN, CLOSE, SPLIT = "⟦", "⟧", "╎"
MARKS = (
    f"{SPLIT} a token was split here  ↵ line break  ⇥ tab  · blank  ‹E4› part of a character  \\xa0 spelt-out character"
)


def pieces(
    tokens: Sequence[TokenView], style_of: Callable[[TokenView], str], *, fresh: bool
) -> Iterator[tuple[str, str, TokenView]]:
    """Yield the visible text of tokens, its style, and its first token; neighbours of one style are one piece.

    One piece, because letters that join, and marks that stand on the letter before them, must not be torn apart.

    Args:
        tokens: the tokens.
        style_of: the style of a token.
        fresh: whether they begin a line.
    """
    for (style, broken), group in groupby(tokens, key=lambda token: (style_of(token), token.text is None)):
        run = list(group)
        data = b"".join(token.data for token in run)
        yield _bytes(data) if broken else visible(data.decode(), fresh=fresh), style, run[0]
        fresh = data.endswith(b"\n") if data else fresh


def visible(text: str, *, fresh: bool = True) -> str:
    """Return a text with control characters spelt out, and marks for line breaks, tabs and blanks easily missed.

    ``fresh`` tells whether the text begins a line: a single blank in front of a word is seen elsewhere, but not there.
    """
    lines = "".join(map(_spelt, safe(text, keep="\n\t"))).replace("\t", "⇥").split("\n")
    return "↵\n".join(_dotted(part, fresh=fresh or index > 0) for index, part in enumerate(lines))


def one_line(text: str) -> str:
    """Return visible text without its line breaks; their marks stay."""
    return visible(text).replace("\n", "")


def token_text(token: TokenView) -> str:
    """Return the visible text of one token by itself, on one line."""
    whole = token.text
    return _bytes(token.data) if whole is None else one_line(whole)


def _bytes(data: bytes) -> str:
    return "".join(f"‹{byte:02X}›" for byte in data)


def _spelt(char: str) -> str:
    """Return a character, spelt out where it looks like a blank, or like one of the marks and would forge a mask."""
    forged = char in (OPEN, CLOSE, SPLIT)
    white = char != " " and unicodedata.category(char) == "Zs"
    return char.encode("unicode_escape").decode() if forged or white else char


def _dotted(text: str, *, fresh: bool) -> str:
    """Return a text with dots for blanks where there is more than one, or where a line begins or ends with them."""
    inner = text.strip(" ")
    lead = len(text) - len(text.lstrip(" "))
    trail = len(text) - lead - len(inner)
    start = " " if lead == 1 and not fresh and inner else "·" * lead
    return start + _middle(inner) + "·" * trail


def _middle(text: str) -> str:
    return "".join(
        "·" * len(run) if blank and len(run) > 1 else run
        for blank, run in ((key, "".join(chars)) for key, chars in groupby(text, key=lambda char: char == " "))
    )
