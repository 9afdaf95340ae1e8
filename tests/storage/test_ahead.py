"""Several requests under way, one answer after the other."""

from __future__ import annotations

from itertools import count, islice
from threading import Barrier, Lock

import pytest

from maskprep.storage.ahead import several


def test_results_come_in_order_though_items_take_unequal_times():
    turns = Barrier(4, timeout=10)  # none of four ends before all have begun

    def act(number):
        turns.wait()
        return number * number

    assert list(several(act, range(12), 4)) == [number * number for number in range(12)]
    assert list(several(act, [], 4)) == []


def test_items_are_taken_as_results_are_wanted():
    taken = []

    def items():
        for number in count():
            taken.append(number)
            yield number

    results = several(str, items(), 3)
    assert list(islice(results, 5)) == ["0", "1", "2", "3", "4"]
    assert len(taken) == 7
    results.close()
    assert len(taken) == 7


def test_an_error_comes_in_its_turn_and_ends_what_waits():
    lock, begun = Lock(), []

    def act(number):
        with lock:
            begun.append(number)
        if number == 2:
            raise FileNotFoundError(number)
        return number

    results = several(act, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(FileNotFoundError, match="2"):
        next(results)
    assert len(begun) < 6
