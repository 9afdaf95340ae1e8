"""Our own builds, in the form of each trainer, packed or not, are what the law wants."""

from __future__ import annotations

import pytest
from builds import THINKS, chat, jsonl, run
from bundled import CONVERSATIONS, TOKENIZER
from inspections import make, sample_build
from thorough import some

from maskprep.config import load
from maskprep.dataset.profiles import PROFILES
from maskprep.examples.inputs import look_at
from maskprep.judge.command import judge
from maskprep.policy import ProfileName
from maskprep.progress import Progress

PACKED = [name for name in ProfileName if name not in {"axolotl", "together", "skyrl", "olmo"}]  # these pack themselves

CASES = [*((name, False) for name in ProfileName), *((name, True) for name in PACKED)]


@pytest.fixture(scope="module")
def inputs():
    return look_at(load(None, {"tokenizer": str(TOKENIZER), "sources": [str(CONVERSATIONS)]}))


@pytest.mark.sweep
@pytest.mark.parametrize(("profile", "packed"), some(CASES, 4))
def test_a_build_for_any_trainer_is_right(place, inputs, profile, packed):
    words = ["--set", "packing.length=4096"] if packed else []
    assert run("export", sample_build(), "--profile", profile, "--output", "out", *words).code == 0
    told = judge("out", inputs, Progress(), source=True, rows=None, examples=1)
    assert (told.wrong, told.faults) == (False, {})
    assert told.by_source == told.documents
    assert told.trained > 0


def test_every_profile_is_looked_at():
    assert set(PROFILES) == set(ProfileName)


@pytest.mark.parametrize("packed", [False, True])
def test_a_build_of_trees_is_right(place, packed):
    (place / "thinks.jinja").write_text(THINKS)
    talk = [chat("Is it raining in Oslo today?", "A little.", "And tomorrow?", f"No, says {name}.") for name in "abc"]
    (place / "rows.jsonl").write_bytes(jsonl(*talk))
    template = ("--chat-template", "thinks.jinja")
    words = ["--set", "packing.length=256"] if packed else []
    make(place / "out", "rows.jsonl", "--history", "tree", *template, *words)
    outcome = run("judge", "out", "--tokenizer", TOKENIZER, "--source", "rows.jsonl", *template, "--json")
    assert (outcome.code, outcome.json["faults"]) == (0, {})
    assert outcome.json["trained_turns"] == 6
    assert outcome.json["documents"] == 6


@pytest.mark.sweep
@pytest.mark.parametrize(
    "words", some([["train.parts=[content]"], ["train.turns=last"], ["max_length=120", "overflow=truncate"]], 3)
)
def test_a_build_is_right_by_its_own_settings(place, words):
    settings = [word for setting in words for word in ("--set", setting)]
    make(place / "out", CONVERSATIONS, *settings)
    outcome = run("judge", "out", "--tokenizer", TOKENIZER, "--source", CONVERSATIONS, *settings, "--json")
    assert (outcome.code, outcome.json["faults"]) == (0, {})
    assert outcome.json["held_against_source"] == outcome.json["documents"]


def test_without_a_source_nothing_is_said_against_a_build(place):
    outcome = run("judge", sample_build(), "--tokenizer", TOKENIZER, "--json")
    assert (outcome.code, outcome.json["faults"], outcome.json["held_against_source"]) == (0, {}, 0)
