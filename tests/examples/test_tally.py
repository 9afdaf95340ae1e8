"""The counts of a build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskprep.conversation import Finding, Where
from maskprep.errors import RowError
from maskprep.examples import Prepared, PreparedSequence
from maskprep.examples.prepared import Loss
from maskprep.examples.tally import Tally
from maskprep.labelled import Labelled, Span


def prepared(*sequences: Sequence[Span], findings: Sequence[Finding] = (), unfaithful: int = 0) -> Prepared:
    """Return what a row became, with these spans."""
    made = []
    for spans in sequences:
        ids = np.arange(spans[-1].end)
        labels = np.full(len(ids), -100)
        for span in spans:
            if span.trained:
                labels[span.start : span.end] = ids[span.start : span.end]
        made.append(PreparedSequence(Labelled(ids, labels, tuple(spans)), None, unfaithful))
    return Prepared(tuple(made), tuple(findings))


SPANS = [Span("user", "content", 0, 0, 3, False), Span("assistant", "content", 1, 3, 5, True),
         Span("assistant", "stop", 1, 5, 6, True)]  # fmt: skip


def test_an_empty_tally():
    tally = Tally()
    assert (tally.rows, tally.reject_fraction) == (0, 0.0)
    assert tally.facts()["by_role_and_part"] == []


def test_rows_are_used_and_rejected():
    tally = Tally()
    tally.use(Where("f", 1, 0), prepared(SPANS))
    tally.reject(Where("f", 2, 9), RowError("some-code", "what is wrong", "what to do"))
    tally.reject(Where("f", 3, 19), RowError("some-code", "again", "what to do"))
    tally.reject(Where("f", 4, 29), RowError("other-code", "else"))
    assert (tally.rows, tally.used, tally.rejected) == (4, 1, 3)
    assert tally.reject_fraction == 0.75
    assert tally.facts()["rejects"] == {
        "other-code": {"rows": 1, "example": {"file": "f", "line": 4, "message": "else"}},
        "some-code": {
            "rows": 2,
            "example": {"file": "f", "line": 2, "message": "what is wrong"},
            "hint": "what to do",
        },
    }


def test_the_ends_of_trained_turns_of_the_assistants_are_counted():
    tally, other = Tally(), Tally()
    untrained = [SPANS[0], Span("assistant", "stop", 1, 3, 4, False), Span("user", "stop", 2, 4, 5, True)]
    tally.use(Where("f", 1, 0), prepared(SPANS, SPANS, untrained), copies=2)
    assert tally.stops == {5: 4}
    other.use(Where("f", 2, 0), prepared([SPANS[0], Span("assistant", "stop", 1, 3, 5, True)]))
    tally.merge(other)
    assert tally.stops == {5: 4, 4: 1}
    assert Tally.restored(json.loads(json.dumps(tally.stored()))) == tally


def test_tokens_are_counted_by_role_and_part():
    tally = Tally()
    masked = [SPANS[0], Span("assistant", "content", 1, 3, 4, False), Span("assistant", "stop", 1, 4, 5, False)]
    tally.use(Where("f", 1, 0), prepared(SPANS, masked, unfaithful=2))
    facts = tally.facts()
    assert (facts["sequences"], facts["tokens"], facts["trained_tokens"]) == (2, 11, 3)
    assert (facts["longest_sequence"], facts["unfaithful_tokens"]) == (6, 4)
    assert facts["by_role_and_part"] == [
        {"role": "assistant", "part": "content", "tokens": 3, "trained_tokens": 2},
        {"role": "assistant", "part": "stop", "tokens": 2, "trained_tokens": 1},
        {"role": "user", "part": "content", "tokens": 6, "trained_tokens": 0},
    ]


def test_a_finding_counts_once_a_row_and_the_first_is_the_example():
    tally = Tally()
    findings = [Finding("code", "first"), Finding("code", "second"), Finding("other", "third")]
    tally.use(Where("f", 7, 0), prepared(SPANS, findings=findings))
    tally.use(Where("f", 8, 0), prepared(SPANS, findings=findings[1:2]))
    facts = tally.facts()["findings"]
    assert facts["code"] == {"rows": 2, "example": {"file": "f", "line": 7, "message": "first"}}
    assert facts["other"]["rows"] == 1


def test_what_too_long_rows_lost_is_counted_with_their_copies_and_with_those_that_are_rejected():
    tally = Tally()
    tally.use(Where("f", 1, 0), prepared(SPANS))
    tally.use(Where("f", 2, 0), replace(prepared(SPANS), loss=Loss(100, 40, 60, 30)), copies=2)
    tally.reject(Where("f", 3, 0), RowError("too-long", "m", facts={"tokens": 7, "trained_tokens": 3}))
    assert tally.facts()["too_long"] == {
        "rows": 2,
        "tokens_before": 207,
        "trained_tokens_before": 83,
        "tokens": 120,
        "trained_tokens": 60,
    }


def test_the_facts_are_json():
    tally = Tally()
    tally.use(Where("f", 1, 0), prepared(SPANS, findings=[Finding("code", "detail")]))
    tally.reject(Where("f", 2, 0), RowError("code", "message"))
    assert json.loads(json.dumps(tally.facts())) == tally.facts()
