"""How often a row is used: right on average, the same every time."""

from __future__ import annotations

from collections import Counter

import pytest

from maskprep.sources.chunk import chance, copies


@pytest.mark.parametrize("weight", [0.1, 0.5, 1, 1.25, 3])
def test_rows_are_used_by_their_weight_on_average_and_at_least_its_whole_part(weight):
    times = Counter(copies(weight, 7, 0, 0, line) for line in range(20_000))
    assert set(times) <= {int(weight), int(weight) + 1}
    assert sum(count * number for number, count in times.items()) / 20_000 == pytest.approx(weight, abs=0.015)


def test_it_depends_on_the_place_and_the_seed_alone():
    chosen = [copies(0.5, 1, 0, 0, line) for line in range(1000)]
    assert chosen == [copies(0.5, 1, 0, 0, line) for line in range(1000)]
    for other in ((2, 0, 0), (1, 1, 0), (1, 0, 1)):
        same = sum(copies(0.5, *other, line) == chosen[line] for line in range(1000))
        assert 400 < same < 600


def test_chances_are_even():
    counts = Counter(int(10 * chance(0, "x", number)) for number in range(50_000))
    assert set(counts) == set(range(10))
    assert all(abs(count - 5000) < 350 for count in counts.values())
