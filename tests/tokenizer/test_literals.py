"""Finding one of many tokens in a text: what a regular expression of all of them would find, and fast."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from maskprep.template.turns.literals import Literals

WORDS = st.lists(st.text("ab<|", max_size=4), max_size=6)


@given(WORDS, st.text("ab<|", max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_it_finds_what_a_regular_expression_finds(words, text, start, end):
    longest_first = sorted(filter(None, words), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    literals = Literals(words)
    found = pattern.search(text, start, end)
    assert literals.search(text, start, end) == (found and found.span())
    assert list(literals.all(text, start)) == [match.span() for match in pattern.finditer(text, start)]
    assert literals.begins(text) == (pattern.match(text) is not None)


def test_a_hundred_thousand_texts_are_no_burden():
    begun = time.process_time()
    literals = Literals(f"<|sid_{number}|>" for number in range(100_000))
    text = "Some <b>text</b> | with <|sid_x|> and signs. " * 5_000 + "<|sid_99999|>"
    assert literals.search(text) == (len(text) - 13, len(text))
    assert time.process_time() - begun < 5  # each text is looked up, not tried
