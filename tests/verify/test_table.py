"""What is flagged in the losses of a real model."""

from __future__ import annotations

import numpy as np
import pytest
from planting import row

from maskprep.labelled import Span
from maskprep.verify.examples import ModelExample
from maskprep.verify.gradient import GradientCheck
from maskprep.verify.model_runner import Measured, Own
from maskprep.verify.result import Result, Verdict
from maskprep.verify.table import ModelTable

SPANS = (
    Span("user", "content", 0, 0, 4, False),
    Span("template", "scaffold", -1, 4, 8, False),
    Span("assistant", "scaffold", 1, 8, 10, True),
    Span("assistant", "content", 1, 10, 18, True),
    Span("assistant", "stop", 1, 18, 19, True),
    Span("template", "scaffold", -1, 19, 20, False),
)


def table_of(**losses):
    """Return the result for one row, whose losses are 2 but for those that are given by place."""
    ids = np.arange(20)
    meant = (ids >= 8) & (ids < 19)
    nll = np.full(20, 2.0)
    nll[0] = np.nan
    for place, value in losses.items():
        nll[int(place.removeprefix("at"))] = value
    table = ModelTable("a model", lambda token: f"<{token}>")
    table.see(ModelExample(0, ids, np.where(meant, ids, -100), meant, SPANS), Measured(nll, np.zeros(20), 2.0))
    return table.result()


def test_losses_by_part_and_around_the_border():
    found = table_of(at8=0.5, at9=1.5, at7=0.25)
    by_part = {(entry["role"], entry["part"]): entry for entry in found.facts["by_role_and_part"]}
    assert by_part["assistant", "scaffold"]["nll"] == pytest.approx(1.0)
    assert by_part["user", "content"]["tokens"] == 3  # nothing predicts the first token
    places = {entry["offset"]: entry["nll"] for entry in found.facts["around_the_border"]}
    assert list(places) == [*range(-5, 8)]
    assert places[-1] == pytest.approx(0.25)
    assert places[0] == pytest.approx(0.5)
    assert not found.flags


def test_trained_tokens_that_teach_nothing_are_flagged():
    [flag] = table_of(at8=0.01, at9=0.02).flags
    assert "2 trained tokens of assistant scaffold" in flag
    assert "teach nothing" in flag


def test_a_structural_token_that_the_model_has_never_seen_is_flagged():
    [flag] = table_of(at8=12.5).flags
    assert "'<8>' (assistant) has a loss above 10 right behind" in flag
    assert "12.5 on average" in flag


def test_a_surprising_word_is_none():
    assert not table_of(at12=14.0).flags


def test_the_gradient_curve_of_a_long_row_is_a_few_hundred_points():
    example = row(1000, 300)
    pull = np.where(example.meant, 0.1, 0.0)
    measured = Measured(np.full(1000, 2.0), pull, 2.0)
    check = GradientCheck()
    check.see(example, measured, Own(measured, 2.0), example)
    curve = check.result().facts["curve"]
    assert len(curve["masked"]) == len(curve["plain"]) == len(curve["trained"]) == 334
    assert curve["width"] == 3


def test_a_gradient_that_leaks_and_one_that_is_dead_are_named():
    example = row(10, 300)
    pull = np.where(example.meant, 0.1, 0.0)
    pull[1], pull[5] = 0.2, 0.0
    measured = Measured(np.full(10, 2.0), pull, 2.0)
    check = GradientCheck()
    check.see(example, measured, Own(measured, 2.0), example)
    assert check.result().faults == (
        "row 7: the gradient for token 1 is not zero though it is not to be trained",
        "row 7: the gradient for token 5 is zero though it is to be",
    )


def test_json_has_no_number_that_json_has_not():
    result = Result(
        "model", Verdict.PASSED, "", {"nll": float("nan"), "rows": 1}, facts={"curve": {"a": [1.0, np.inf]}}
    )
    facts = result.as_json()
    assert facts["figures"] == {"nll": None, "rows": 1}
    assert facts["facts"] == {"curve": {"a": [1.0, None]}}
