"""The choices on the ground are those that something answers to."""

from __future__ import annotations

import pytest

from maskprep.config import load
from maskprep.dataset.profiles import PROFILES
from maskprep.errors import UsageError
from maskprep.formats.registry import ROW_FORMATS
from maskprep.policy import TRAINABLE, Format, Part, ProfileName

LEAST = {"sources": ["rows.jsonl"], "tokenizer": "somewhere"}


def test_every_format_is_read_by_a_shape_of_its_name():
    assert {name: each.name for name, each in ROW_FORMATS.items()} == {name: name for name in Format if name != "auto"}


def test_every_profile_is_written_by_a_profile_of_its_name():
    assert {name: each.name for name, each in PROFILES.items()} == {name: name for name in ProfileName}


@pytest.mark.parametrize(
    ("setting", "meant"),
    [
        ("format=alpca", "'alpaca'"),
        ("history=splitt", "'split'"),
        ("adapt.system=merged", "'merge'"),
        ("tokenizer.backend=fasttokens", "'fastokens'"),
    ],
)
def test_a_choice_that_is_misspelt_is_told_with_the_one_that_was_meant(setting, meant):
    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        load(None, LEAST, [setting])


@pytest.mark.parametrize("part", [*(part for part in Part if part not in TRAINABLE), "everything"])
def test_a_part_that_no_completion_has_cannot_be_trained(part):
    with pytest.raises(UsageError, match=r"train\.parts\[0\]: must be one of content, reasoning"):
        load(None, LEAST, [f"train.parts=[{part}]"])
