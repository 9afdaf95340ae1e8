"""Two masks on a terminal."""

from __future__ import annotations

import io

import pytest
from page_samples import HOSTILE, row
from rich.console import Console
from unmarked import ACTS, stripped, styled

from maskprep.inspect.compare import MaskComparison
from maskprep.show.compared import show_comparison

COUNTS = dict.fromkeys(
    ("rows", "equal", "differing", "only_first", "only_second", "other_ids", "missing_in_first", "missing_in_second"), 0
)


def shown(*views, colour=None, first="one", second="two", **counts):
    out = Console(
        file=io.StringIO(), color_system=colour, force_terminal=colour is not None, width=120, markup=False, emoji=False
    )
    show_comparison(out, MaskComparison(first, second, shown=views, **{**COUNTS, **counts}))
    return out.file.getvalue()


def compared(*pieces):
    """Return a row of (text, flags): t for trained here, + for trained there, - for masked there."""
    return row(3, [(text, "assistant", "content", 1, flags) for text, flags in pieces])


VIEW = compared(
    ("head ", "-"), ("Ja", "t-"), (" wohl", "t-"), (", ", "t+"), ("nein", "+"), *[("x", "-")] * 40, ("end", "t-")
)


def test_tokens_whose_label_differs_are_marked():
    text = shown(VIEW, rows=1, differing=1, only_first=3, only_second=1)
    assert "head·⟦+ Ja wohl⟧,·⟦- nein⟧" in text
    assert "xxxxxxxx … 24 tokens … xxxxxxxx⟦+ end⟧" in text
    assert "+ trained only in one\n- trained only in two\n" in text
    assert "1 row, 0 with the same mask, 1 with another" in text
    assert "tokens trained only in the first: 3, in the second: 1" in text
    assert "row 3  data/rows.jsonl:4  sequence 0" in text


def test_the_colours_of_the_difference():
    codes = dict(styled(shown(VIEW, colour="truecolor", rows=1, differing=1)))
    assert codes["Ja wohl"] == {"38", "48", "5", "16", "114"}
    assert codes["nein"] == {"38", "48", "5", "231", "124"}
    assert codes[",·"] == frozenset()


def test_what_cannot_be_compared_is_told():
    text = shown(rows=5, equal=1, other_ids=2, missing_in_second=1, missing_in_first=3)
    assert "with other ids in the second, not to be compared token by token: 2 rows" in text
    assert "not in the second: 1 row\n" in text
    assert "only in the second: 3 rows" in text
    assert "no row is in both" not in text
    assert "no row is in both" in shown(rows=5, missing_in_second=5, missing_in_first=5)
    assert "that differ" not in text
    assert "the first 1 of 4 rows that differ" in shown(VIEW, rows=9, differing=4)


@pytest.mark.parametrize("colour", [None, "truecolor"])
def test_hostile_text_does_nothing(colour):
    view = compared(*((text, "t-") for text in HOSTILE), *((text, "+") for text in HOSTILE))
    output = stripped(shown(view, colour=colour, first="\x1b[2J", second="\u202e[/red]", rows=1, differing=1))
    assert not ACTS.search(output)
    assert "<script>window.hacked=1</script>" in output
