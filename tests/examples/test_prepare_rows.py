"""Rows on their way together: in order, each with its end, and none costs another."""

from __future__ import annotations

import json

import pytest
from law.comparing import NOW
from law.shapes import assistant, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.conversation import Where
from maskprep.errors import BackendError, RowError
from maskprep.examples import Preparer
from maskprep.examples import preparer as module
from maskprep.formats import Line
from maskprep.policy import History, Policy

BAD = {"messages": []}


def plain(number):
    return {"messages": [user(f"What is {number}?"), assistant(f"It is {number}.")]}


def lines(*rows):
    return [Line(Where("rows", number, 0), json.dumps(row).encode()) for number, row in enumerate(rows, 1)]


@pytest.fixture
def preparer():
    law = LAWS["chatml"]
    return Preparer(
        tokenizer("byte_level", law.eos, law.stops),
        now=NOW,
        policy=Policy(history=History.RENDERED),
        template=law.text,
    )


def test_rows_stand_in_their_order_with_their_sequences_or_their_reason(preparer):
    rows = preparer.prepare_rows(lines(plain(1), BAD, plain(2), {"messages": 3}, plain(3)))
    assert [row.line.where.line for row in rows] == [1, 2, 3, 4, 5]
    assert (
        [row.made is None for row in rows]
        == [row.error is not None for row in rows]
        == [False, True, False, True, False]
    )
    assert [row.error.code for row in rows if row.error] == ["no-messages", "no-messages"]
    assert len({row.digest for row in rows if row.made}) == 3


def test_each_row_is_announced_when_it_begins_and_read_when_the_one_before_is_proved(preparer):
    told = []

    def read():
        for line in lines(plain(1), BAD, plain(2)):
            told.append(("read", line.where.line))
            yield line

    list(preparer.prepared(read(), begin=lambda line: told.append(("begin", line.where.line))))
    assert told == [(what, number) for number in (1, 2, 3) for what in ("read", "begin")]


def test_a_row_whose_fate_is_known_is_not_prepared(preparer):
    fate = RowError("duplicate", "it was there before")
    told = []
    [rows] = preparer.prepared(lines(*map(plain, (1, 2, 1))), {3: fate}, lambda line: told.append(line.where.line))
    assert rows[2].error is fate
    assert rows[2].conversation is None
    assert told == [1, 2]


def test_long_rows_are_not_held_together(preparer, monkeypatch):
    monkeypatch.setattr(module, "_CHARACTERS", 200)
    sizes = [len(rows) for rows in preparer.prepared(lines(*map(plain, range(9))))]
    assert sum(sizes) == 9
    assert 1 < max(sizes) < 5


def test_a_row_that_finds_no_memory_ends_its_list(preparer, monkeypatch):
    prove = Preparer.prove

    def starved(self, conversation, wanted=None):
        if "2" in conversation.messages[0].content:
            raise MemoryError
        return prove(self, conversation, wanted)

    monkeypatch.setattr(Preparer, "prove", starved)
    found = preparer.prepared(lines(*map(plain, range(1, 6))))
    first = next(found)
    assert [row.line.where.line for row in first] == [1, 2]
    assert isinstance(first[1].lacked_memory, MemoryError)
    assert first[0].made is not None
    assert first[0].lacked_memory is None


def test_what_is_no_fault_of_a_row_is_raised(preparer, monkeypatch):
    def differs(self, conversation, wanted=None):
        raise BackendError("the two encode a text differently")

    monkeypatch.setattr(Preparer, "prove", differs)
    with pytest.raises(BackendError):
        preparer.prepare_rows(lines(plain(1)))


def test_an_error_holds_nothing_of_its_row(preparer, monkeypatch):
    def fails(self, conversation, wanted=None):
        try:
            raise KeyError("first")  # noqa: TRY301
        except KeyError as error:
            raise ZeroDivisionError("then") from error

    monkeypatch.setattr(Preparer, "prove", fails)
    [row] = preparer.prepare_rows(lines(plain(1)))
    assert row.error.code == "internal-error"
    assert (
        row.error.__traceback__
        is row.error.__cause__.__traceback__
        is row.error.__cause__.__cause__.__traceback__
        is None
    )
