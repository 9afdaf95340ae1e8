"""Where rows may stand, as the configuration says: each rule is broken once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from maskprep.verify.order import Arrangement, OrderCheck


def see(order, *rows):
    """Show rows ``(file, line, sequence)`` and return the places of those that must not stand there."""
    files, lines, sequences = zip(*rows, strict=True)
    columns = SimpleNamespace(files=files, lines=np.asarray(lines), sequences=np.asarray(sequences))
    return [place for place, _ in order.see(columns)]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([("a", 1, 0), ("a", 1, 1), ("a", 3, 0), ("b", 1, 0)], []),
        ([("a", 2, 0), ("a", 1, 0)], [1]),
        ([("a", 1, 1), ("a", 1, 0)], [1]),
        ([("a", 1, 0), ("a", 1, 0)], [1]),
        ([("a", 1, 0), ("b", 1, 0), ("a", 2, 0)], [2]),
    ],
)
def test_rows_stand_in_the_order_of_their_sources(rows, wrong):
    assert see(OrderCheck(Arrangement()), *rows) == wrong


def test_it_goes_on_from_batch_to_batch_and_begins_anew_with_a_split():
    order = OrderCheck(Arrangement())
    assert see(order, ("a", 1, 0), ("a", 5, 0)) == []
    assert see(order, ("a", 4, 0)) == [0]
    order.begin_split()
    assert see(order, ("a", 2, 0)) == []


def test_copies_of_a_row_follow_each_other_and_are_no_more_than_its_weight():
    twice = [("a", 1, 0), ("a", 1, 1), ("a", 1, 0), ("a", 1, 1)]
    assert see(OrderCheck(Arrangement(most=2)), *twice, ("a", 2, 0)) == []
    assert see(OrderCheck(Arrangement(most=2)), *twice, ("a", 1, 0)) == [4]
    order = OrderCheck(Arrangement(most=2))
    assert see(order, ("a", 1, 0), ("a", 2, 0), ("a", 1, 0)) == [2]


def test_arranged_rows_may_stand_anywhere_but_not_too_often():
    order = OrderCheck(Arrangement(arranged=True))
    assert see(order, ("b", 9, 0), ("a", 1, 1), ("a", 1, 0), ("b", 2, 0)) == []
    assert list(order.repeated()) == []
    see(order, ("a", 1, 1))
    assert list(order.repeated()) == ["a:1"]


def test_a_row_in_two_splits_is_found():
    order = OrderCheck(Arrangement())
    see(order, ("a", 1, 0), ("a", 2, 0))
    order.begin_split()
    assert see(order, ("a", 2, 0)) == []
    assert list(order.repeated()) == ["a:2"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"sources": [{"weight": 1.0}], "shuffle": False, "packing": None}, Arrangement(False, 1)),
        ({"sources": [{"weight": 1.0}], "shuffle": False, "packing": {"length": 9}}, Arrangement(True, 1)),
        ({"sources": [{"weight": 0.5}, {"weight": 2.25}], "shuffle": True, "packing": None}, Arrangement(True, 3)),
    ],
)
def test_the_configuration_says_what_may_be(config, expected):
    assert Arrangement.of(config) == expected


def test_no_row_is_no_fault():
    assert list(OrderCheck(Arrangement()).repeated()) == []
