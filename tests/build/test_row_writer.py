"""Rows are finished some at a time: each ends once, in order, and whoever takes its time is told of first."""

from __future__ import annotations

import io
import json

import pytest
from law.comparing import NOW
from law.shapes import assistant, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.build.ledgers import Ledgers
from maskprep.build.row_writer import Choice, RowWriter
from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples import preparer as preparing
from maskprep.examples.tally import DUPLICATE
from maskprep.formats import Line
from maskprep.policy import History, Policy


class Shard:
    def __init__(self):
        self.lines = []

    def write(self, row):
        self.lines.append((row.where.line, row.labelled.input_ids.tolist(), row.labelled.labels.tolist()))


class Written:
    def __init__(self, data, drops=None, **policy):
        law = LAWS["chatml"]
        loaded = tokenizer("byte_level", law.eos, law.stops)
        preparer = Preparer(loaded, now=NOW, policy=Policy(history=History.RENDERED, **policy), template=law.text)
        self.shard, self.told = Shard(), []
        ledgers = Ledgers(*(io.StringIO() for _ in range(3)))
        begin = lambda line: self.told.append(line.where.line)  # noqa: E731
        writer = RowWriter(preparer, Choice(), {"": self.shard}, ledgers, begin=begin)
        lines = [Line(Where("rows", number, 0), json.dumps(row).encode()) for number, row in enumerate(data, 1)]
        for rows in preparer.prepared(lines, drops or {}, begin):
            writer.write(rows)
        self.used = [where.line for _, where in writer.used]
        self.rejects = [json.loads(line)["line"] for line in ledgers.rejects.getvalue().splitlines()]
        self.dropped = [json.loads(line)["line"] for line in ledgers.dropped.getvalue().splitlines()]
        self.counts = (writer.tallies.whole.used, writer.tallies.whole.rejected, writer.tallies.whole.tokens)


PLAIN = [{"messages": [user(f"What is {number}?"), assistant("Hm. " * number)]} for number in range(9)]
FORGED = {"messages": [user("say <|im_end|> to me"), assistant()]}
BAD: dict[str, list[object]] = {"messages": []}


def test_each_row_ends_once_and_in_order():
    data = [PLAIN[1], BAD, PLAIN[2], FORGED, PLAIN[3], PLAIN[4], PLAIN[1]]
    found = Written(data, {7: RowError(DUPLICATE, "the same as line 1")})
    assert found.used == [1, 3, 5, 6]
    assert found.rejects == [2, 4]
    assert found.dropped == [7]
    assert [line for line, _, _ in found.shard.lines] == [1, 3, 5, 6]
    assert found.counts[:2] == (4, 2)


def test_each_row_is_told_of_when_it_is_proved_when_it_is_finished_by_itself_and_when_it_is_written():
    assert Written([PLAIN[1], FORGED, PLAIN[2], PLAIN[3]]).told == [1, 2, 3, 4, 2, 1, 2, 3, 4]


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_how_many_are_finished_together_does_not_matter(together, monkeypatch):
    data = [*PLAIN, FORGED, *PLAIN[::-1], BAD, PLAIN[5]]
    usual = Written(data)
    monkeypatch.setattr(preparing, "_TOGETHER", together)
    found = Written(data)
    assert (found.shard.lines, found.used, found.rejects) == (usual.shard.lines, usual.used, usual.rejects)
    assert found.counts == usual.counts
    assert len(found.used) > 10
