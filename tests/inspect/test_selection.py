"""Which rows are looked at: by place, at random, by what they hold."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.errors import UsageError
from maskprep.inspect.selection import Selection

ENDS = st.one_of(st.none(), st.integers(-12, 12))


def written(end):
    return "" if end is None else str(end)


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ({}, [0]),
        ({"row": 0}, [0]),
        ({"row": 4}, [4]),
        ({"row": -1}, [4]),
        ({"row": -5}, [0]),
        ({"rows": "1:3"}, [1, 2]),
        ({"rows": ":2"}, [0, 1]),
        ({"rows": "-2:"}, [3, 4]),
        ({"rows": ":-3"}, [0, 1]),
        ({"rows": ":"}, [0, 1, 2, 3, 4]),
        ({"rows": "3:99"}, [3, 4]),
        ({"rows": "3:1"}, []),
        ({"rows": "99:"}, []),
        ({"random": 99}, [0, 1, 2, 3, 4]),
    ],
)
def test_rows_by_place(choice, numbers):
    selection = Selection(**choice)
    selection.check()
    assert selection.numbers(5) == numbers
    assert list(selection.pick("abcde")) == [(number, "abcde"[number]) for number in numbers]


@given(ENDS, ENDS, st.integers(0, 10))
def test_rows_are_python_slices(start, stop, total):
    selection = Selection(rows=f"{written(start)}:{written(stop)}")
    selection.check()
    expected = list(range(total))[start:stop]
    assert selection.numbers(total) == expected
    assert list(selection.pick(range(total))) == [(number, number) for number in expected]


@given(st.integers(-12, 12), st.integers(0, 10))
def test_a_row_is_there_or_not(number, total):
    selection = Selection(row=number)
    selection.check()
    if -total <= number < total:
        assert selection.numbers(total) == [number % total]
        assert list(selection.pick(range(total))) == [(number % total, number % total)]
    else:
        with pytest.raises(UsageError, match=f"there is no row {number}"):
            selection.numbers(total)
        with pytest.raises(UsageError, match=f"there is no row {number}"):
            list(selection.pick(range(total)))


def test_nothing_chosen_of_nothing_is_no_error_here():
    assert Selection().numbers(0) == []
    assert list(Selection().pick("")) == []


@pytest.mark.parametrize("how", ["numbers", "pick"])
def test_random_rows_can_be_had_again(how):
    def chosen(**choice):
        selection = Selection(**choice)
        return selection.numbers(1000) if how == "numbers" else [number for number, _ in selection.pick(range(1000))]

    once = chosen(random=7, seed=3)
    assert once == chosen(random=7, seed=3)
    assert once != chosen(random=7, seed=4)
    assert once == sorted(set(once))
    assert len(once) == 7
    assert set(once) <= set(range(1000))


def test_random_rows_of_a_stream_are_as_likely_as_each_other():
    counts = Counter(number for seed in range(3000) for number, _ in Selection(random=2, seed=seed).pick(range(6)))
    assert set(counts) == set(range(6))
    assert all(900 < count < 1100 for count in counts.values()), counts


class Stream:
    """A stream that knows how far it was read."""

    def __init__(self, total):
        self.total, self.read = total, 0

    def __iter__(self):
        for number in range(self.total):
            self.read += 1
            yield number


@pytest.mark.parametrize(("choice", "read"), [({}, 1), ({"row": 3}, 4), ({"rows": "2:5"}, 5), ({"rows": ":0"}, 0)])
def test_no_more_is_read_than_needed(choice, read):
    stream = Stream(10**6)
    list(Selection(**choice).pick(stream))
    assert stream.read == read


@pytest.mark.parametrize("choice", [{"row": -3}, {"rows": "-3:"}, {"rows": "5:-3"}, {"random": 3}])
def test_no_more_is_held_than_needed(choice):
    import gc
    import weakref

    class Item:
        pass

    alive, most = weakref.WeakSet(), 0

    def items():
        nonlocal most
        for _ in range(500):
            item = Item()
            alive.add(item)
            most = max(most, len(alive))
            yield item

    for _ in Selection(**choice).pick(items()):
        pass
    gc.collect()
    assert most < 12


@pytest.mark.parametrize(
    "choice",
    [
        {"row": 1, "rows": "1:2"},
        {"row": 0, "random": 1},
        {"find": "x", "origin": "f:1"},
        {"finding": "x", "find": "y"},
        {"row": 10**30},
        {"row": -(10**30)},
        {"rows": "1"},
        {"rows": "a:b"},
        {"rows": "-:5"},
        {"rows": "1:2:3"},
        {"rows": ""},
        {"rows": "9" * 5000 + ":"},
        {"rows": "\u0661:\u0662"},
        {"random": 0},
        {"random": -1},
        {"random": 10**30},
        {"limit": 0},
        {"limit": -1},
        {"find": ""},
        {"origin": "f"},
        {"origin": "f:"},
        {"origin": ":1"},
        {"origin": "f:x"},
        {"origin": "f:\u00b2"},
        {"origin": "f:-1"},
        {"origin": "f:" + "9" * 5000},
    ],
    ids=lambda choice: str(choice)[:40],
)
def test_what_cannot_be_understood_is_refused(choice):
    with pytest.raises(UsageError):
        Selection(**choice).check()


def test_two_ways_are_named():
    with pytest.raises(UsageError, match="--row and --find and --finding cannot go together"):
        Selection(row=0, find="x", finding="y").check()
    assert Selection(row=0, find="x").given == ("--row", "--find")
    assert Selection(seed=3, limit=2).given == ()


def test_a_file_may_have_colons_in_its_name():
    assert Selection(origin="a:b:c.jsonl:12").place() == ("a:b:c.jsonl", 12)
    assert Selection(origin="-:1").place() == ("-", 1)
    assert Selection(origin="a\nb:7").place() == ("a\nb", 7)
