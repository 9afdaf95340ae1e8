"""The slow way as a check: turns that are replayed are rendered by the template itself, too, and held against that."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.shapes import assistant, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import AuditMode, Policy
from maskprep.template.rendered import Beginning
from maskprep.template.turns.audit import Audit, checksum


def talk(turns):
    messages = [m for n in range(turns) for m in (user(f"Question {n}?"), assistant(f"Answer {n}."))]
    return DEFAULT.parse({"messages": messages})


def preparer_of(mode=AuditMode.SAMPLE):
    law = LAWS["chatml"]
    return Preparer(tokenizer("byte_level", law.eos), now=NOW, policy=Policy(), template=law.text, audit=mode)


def preparer_that_errs(monkeypatch, mode):
    preparer = preparer_of(mode)
    template = preparer.templates[False]
    plain = template.plain

    def other(conversation, upto, *, generation_prompt):
        return plain(conversation, upto, generation_prompt=generation_prompt) + "!" * (upto == 2)

    monkeypatch.setattr(template, "plain", other)
    return preparer, template


def test_turns_share_the_text_of_the_whole():
    preparer = preparer_of()
    preparer.prove(talk(3))  # what is learnt of it is replayed
    proved = preparer.prove(talk(10))
    assert all(turn.text.root is proved.whole for turn in proved.turns)
    assert sum(isinstance(turn.text, Beginning) for turn in proved.turns) == 10


def test_a_turn_of_a_new_kind_that_renders_otherwise_is_rejected_and_nothing_is_replayed_any_more(monkeypatch):
    preparer, template = preparer_that_errs(monkeypatch, AuditMode.FIRST)
    with pytest.raises(RowError) as caught:
        preparer.prove(talk(3))
    assert caught.value.code == "render-differs"
    assert "messages[1]" in caught.value.message
    assert not template.replays


def test_all_looks_at_every_turn(monkeypatch):
    preparer, _ = preparer_that_errs(monkeypatch, AuditMode.ALL)
    for _ in range(2):
        with pytest.raises(RowError, match="another text"):
            preparer.prove(talk(3))


def test_a_sample_is_drawn_by_the_text_alone():
    drawn = [
        {n for n in range(20_000) if audit.wants(["kind"], checksum(f"text {n}")) and n}
        for audit in (Audit(AuditMode.SAMPLE), Audit(AuditMode.SAMPLE))
    ]
    assert drawn[0] == drawn[1]
    assert 60 < len(drawn[0]) < 140
    first = Audit(AuditMode.FIRST)
    assert [n for n in range(20_000) if first.wants(["kind"], checksum(f"text {n}"))] == [0]
    assert first.wants(["kind", "another kind"], checksum("text"))
