"""Text from data, made harmless for a terminal."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.show.safe import safe

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://x\x07", "\\x1b]8;;http://x\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\rb"),
        ("a\tb\x08", "a\\tb\\x08"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\ue000", "\\ue000"),
        ("\U0010ffff", "\\U0010ffff"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("[/red] [bold]", "[/red] [bold]"),
        (
            "naïve 世界 \U0001f469\u200d\U0001f680 e\u0301 \u05e9",
            "naïve 世界 \U0001f469\u200d\U0001f680 e\u0301 \u05e9",
        ),
        ("a\nb", "a\\nb"),
    ],
)
def test_safe(text, shown):
    assert safe(text) == shown


def test_what_is_to_be_kept_is_kept():
    assert safe("a\nb\tc\x1b", keep="\n") == "a\nb\\tc\\x1b"


@pytest.mark.parametrize("char", BIDI)
def test_every_bidirectional_control_is_spelt_out(char):
    assert safe(char) == f"\\u{ord(char):04x}"


def test_no_character_acts():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        shown = safe(char)
        if shown == char:
            assert unicodedata.category(char) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
            assert unicodedata.bidirectional(char) not in {
                "LRE",
                "RLE",
                "LRO",
                "RLO",
                "PDF",
                "LRI",
                "RLI",
                "FSI",
                "PDI",
            }
        else:
            assert shown.isascii()
            assert shown.isprintable()


@given(st.text())
def test_safe_text_stays_as_it_is(text):
    assert safe(safe(text)) == safe(text)
