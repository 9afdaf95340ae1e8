"""The figures of a data set on a terminal."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console
from unmarked import ACTS, stripped

from maskprep.dataset.statistics import PERCENTILES, Distribution, Statistics
from maskprep.show.statistics import show_statistics

HOSTILE = "\x1b[2J\x1b]8;;http://x\x07\u202e[/red]"


def noticed(rows, message, **more):
    return {"rows": rows, "example": {"file": "a.jsonl", "line": 3, "message": message}, **more}


TOTALS = {
    "rows": 12,
    "rows_used": 10,
    "rows_rejected": 2,
    "rows_dropped": 0,
    "duplicates": 0,
    "sequences": 4,
    "tokens": 1100,
    "trained_tokens": 400,
    "unfaithful_tokens": 7,
    "longest_sequence": 1000,
    "too_long": {"rows": 2, "tokens_before": 900, "trained_tokens_before": 40, "tokens": 300, "trained_tokens": 30},
    "packing": {"rows": 2, "slots": 2400, "fill": 0.99989},
    "by_role_and_part": [
        {"role": "assistant", "part": "content", "tokens": 500, "trained_tokens": 400},
        {"role": "user", "part": "content", "tokens": 600, "trained_tokens": 0},
    ],
    "rejects": {"not-json": noticed(2, f"not JSON: {HOSTILE}", hint="mend it")},
    "findings": {"few": noticed(1, "seen once"), "many": noticed(9, "seen often")},
}


def shown(lengths, fractions, turns, colour=None, totals=TOTALS, path="out"):
    measured = Statistics(
        path, totals, Distribution.of(np.array(lengths)), Distribution.of(np.array(fractions), (0.0, 1.0)), turns
    )
    out = Console(file=io.StringIO(), color_system=colour, force_terminal=colour is not None, width=120, markup=False)
    show_statistics(out, measured)
    return out.file.getvalue()


LENGTHS, FRACTIONS = [10, 20, 70, 1000], [0.1, 0.52, 0.52, 1.0]
OUTPUT = shown(LENGTHS, FRACTIONS, {1: 3, 2: 1})


def test_the_counts():
    assert "12 conversations read, 10 used, 2 rejected" in OUTPUT
    assert "4 sequences, 1,100 tokens, 400 trained (36.4%), the longest sequence 1,000" in OUTPUT
    assert "7 of them in a context that no server sends" in OUTPUT
    assert "2 rows too long: their 900 tokens became 300, 40 trained ones became 30 (75.0%)" in OUTPUT
    assert "packed into 2 rows of 1,200 tokens, 99.989% filled" in OUTPUT
    assert re.search(r"^assistant +content +500 +400 +80.0% +100.0% *$", OUTPUT, re.MULTILINE)
    assert re.search(r"^user +content +600 +0 +0.0% +0.0% *$", OUTPUT, re.MULTILINE)


def test_percentiles():
    lines = OUTPUT.split("\n")
    at = next(index for index, line in enumerate(lines) if line.startswith("tokens a sequence, on average 275"))
    assert lines[at + 1].split() == ["min", *(f"p{rank}" for rank in PERCENTILES[1:-1]), "max"]
    expected = [f"{value:,.0f}" for value in np.percentile(LENGTHS, PERCENTILES)]
    assert lines[at + 2].split() == expected
    at = next(index for index, line in enumerate(lines) if line.startswith("trained fraction of a sequence, on"))
    assert lines[at].endswith("on average 53.5%")
    assert lines[at + 2].split() == [f"{value:.1%}" for value in np.percentile(FRACTIONS, PERCENTILES)]


def test_histograms():
    bars = re.findall(r"^ *([\d,.%]+) +([\d,.%]+) +(\d+) +([█▏▎▍▌▋▊▉]*) *$", OUTPUT, re.MULTILINE)
    lengths = [bar for bar in bars if "%" not in bar[0]]
    fractions = [bar for bar in bars if "%" in bar[0]]
    for found, values, scale in ((lengths, LENGTHS, 1), (fractions, FRACTIONS, 100)):
        assert sum(int(rows) for _, _, rows, _ in found) == 4
        highest = max(int(rows) for _, _, rows, _ in found)
        for index, (low, high, rows, bar) in enumerate(found):
            start, end = (float(edge.replace(",", "").rstrip("%")) / scale for edge in (low, high))
            last = index == len(found) - 1
            inside = [value for value in values if start <= value and (value < end or (last and value <= end))]
            assert int(rows) == len(inside), (low, high)
            assert bool(bar) == bool(inside)
            if int(rows) == highest:
                assert bar == "█" * 40


def test_turns_and_codes():
    assert re.search(r"^ *1 +3 +75.0% *$", OUTPUT, re.MULTILINE)
    assert re.search(r"^ *2 +1 +25.0% *$", OUTPUT, re.MULTILINE)
    assert OUTPUT.index("many: 9 rows") < OUTPUT.index("few: 1 row")
    assert "for example a.jsonl:3: seen often" in OUTPUT
    assert "fix: mend it" in OUTPUT


def test_a_small_bar_is_seen_beside_a_big_one():
    output = shown([1] * 10_000 + [40], [0.5] * 10_001, {1: 10_001})
    assert "▏" in output


@pytest.mark.parametrize("lengths", [[], [5], [5, 5, 5]])
def test_few_rows(lengths):
    totals = {**TOTALS, "by_role_and_part": [], "rejects": {}, "findings": {}}
    output = shown(lengths, [0.25] * len(lengths), {1: len(lengths)} if lengths else {}, totals=totals)
    assert f"tokens a sequence, on average {5 if lengths else 0}" in output
    assert "rejected rows:" not in output


@pytest.mark.parametrize("colour", [None, "truecolor"])
def test_hostile_text_does_nothing(colour):
    output = stripped(shown(LENGTHS, FRACTIONS, {1: 4}, colour=colour, path=HOSTILE))
    assert not ACTS.search(output)
    assert "\\x1b[2J\\x1b]8;;http://x\\x07\\u202e[/red]" in output


def test_whole_numbers_have_bins_of_whole_width():
    for values in ([1, 2, 3], list(range(45)), [7], [0, 1000]):
        found = Distribution.of(np.array(values))
        assert all(edge == int(edge) for edge in found.edges)
        assert len({high - low for low, high in zip(found.edges, found.edges[1:], strict=False)}) == 1
        assert sum(found.counts) == len(values)
        assert found.edges[0] == min(values)
        assert found.edges[-1] > max(values)
