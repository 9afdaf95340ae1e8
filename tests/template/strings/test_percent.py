"""``%`` formatting keeps the origin of what it puts in, or loses all of it: never the wrong one."""

from __future__ import annotations

import pytest

from maskprep.policy import Part
from maskprep.template.strings.markup import TrackedMarkup
from maskprep.template.strings.origin import TEMPLATE, is_lost, source_of
from maskprep.template.strings.percent import percent
from maskprep.template.strings.runs import runs_of
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import track, untrack

ONE, TWO = source_of(1, Part.CONTENT), source_of(2, Part.TOOL_CALL)
A, B = Tracked("a%sb", ONE), Tracked("é", TWO)


def formatted(template, values):
    return percent(template, values, str.__mod__(str(template), untrack(values)))


@pytest.mark.parametrize(
    ("template", "values", "runs"),
    [
        ("<%s>", A, ((1, TEMPLATE), (4, ONE), (1, TEMPLATE))),
        ("<%s>", (A,), ((1, TEMPLATE), (4, ONE), (1, TEMPLATE))),
        ("%s%s", (A, B), ((4, ONE), (1, TWO))),
        ("%s 100%% %s", (A, B), ((4, ONE), (6, TEMPLATE), (1, TWO))),
        ("%%s", (), ((2, TEMPLATE),)),
        ("%(x)s%(y)s%(x)s", {"x": A, "y": B}, ((4, ONE), (1, TWO), (4, ONE))),
        ("%r", (A,), ((1, TEMPLATE), (4, ONE), (1, TEMPLATE))),
        ("%d-%i", (track(7, TWO), 12), ((1, TWO), (3, TEMPLATE))),
        ("%s", (track({"k": 1}, TWO),), None),
        ("%s %s", (None, True), ((9, TEMPLATE),)),
    ],
    ids=range(10),
)
def test_each_character_keeps_its_origin(template, values, runs):
    result = formatted(template, values)
    assert str.__eq__(result, template % untrack(values))
    assert not any(is_lost(source) for _, source in runs_of(result))
    if runs is not None:
        assert runs_of(result) == runs


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("%5s", A),
        ("%-9s|", (A,)),
        ("%.2s", (A,)),
        ("%*s", (9, A)),
        ("%x", (track(200, ONE),)),
        ("%.1f", (track(0.25, ONE),)),
        ("%a", (B,)),
        ("%d", (track(7.5, ONE),)),
        (Tracked("<%s>", ONE), B),
        (TrackedMarkup(Tracked("<%s>")), A),
    ],
    ids=range(10),
)
def test_what_asks_for_more_is_lost_as_a_whole(template, values):
    result = formatted(template, values)
    assert str.__eq__(result, str.__mod__(str.__str__(template), untrack(values)))
    assert all(is_lost(source) for _, source in runs_of(result))


def test_a_text_that_is_not_what_python_gives_is_lost():
    assert all(is_lost(source) for _, source in runs_of(percent("%s", A, "another")))
