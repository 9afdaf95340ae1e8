"""Keys explained: every key has a meaning and an example that is accepted; the schema for editors is current."""

from __future__ import annotations

import json

import pytest
import yaml
from builds import run

from maskprep.config import Config, load
from maskprep.config.key_help import key_named, keys
from maskprep.config.meanings import MEANINGS
from maskprep.config.schema import FILE, dumped
from maskprep.config.sections import SECTIONS
from maskprep.errors import UsageError
from maskprep.policy import TRAINABLE, History
from maskprep.recommend.commented import example_of

LEAST = {"sources": ["a.jsonl"], "tokenizer": {"name": "t"}, "packing": {"length": 9}}
KEYS = {key.name: key for key in keys()}


def test_every_key_is_explained_and_no_other():
    nested = {f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields}
    assert KEYS.keys() == set(Config.model_fields) | nested == MEANINGS.keys()
    assert all(key.meaning and key.type != "any value" for key in KEYS.values() if key.name != "template_kwargs")


@pytest.mark.parametrize("name", KEYS)
def test_the_example_of_a_key_is_accepted(name):
    given = yaml.safe_load(example_of(KEYS[name]))
    (section,) = given
    base = LEAST.get(section)
    value = (
        {**base, **given[section]} if isinstance(base, dict) and isinstance(given[section], dict) else given[section]
    )
    load(None, {**LEAST, section: value})
    if not name.startswith("sources"):
        load(
            None,
            {},
            [f"{name}={KEYS[name].example}"],
            base={k: v for k, v in LEAST.items() if k != "packing" or "packing" in name},
        )


def test_choices_and_defaults_are_those_of_the_model():
    assert KEYS["history"].choices == tuple(History)
    assert KEYS["train.parts"].choices == TRAINABLE
    assert KEYS["max_rejects"].default == "0.01"
    assert KEYS["tokenizer.name"].default == "none: it must be given"


def test_an_unknown_key_is_answered_with_the_one_that_was_meant():
    for wrong, meant in (("turns", "train.turns"), ("histroy", "history"), ("train.turn", "train.turns")):
        with pytest.raises(UsageError) as caught:
            key_named(wrong)
        assert caught.value.hint == f"did you mean {meant}?"


def test_the_schema_that_is_installed_is_that_of_the_model():
    assert FILE.read_text("utf-8") == dumped(), "python -m maskprep.config.schema writes it anew"
    schema = json.loads(dumped())
    assert schema["properties"].keys() == Config.model_fields.keys()
    assert "required" not in schema
    assert schema["$defs"]["Train"]["properties"]["turns"]["description"] == MEANINGS["train.turns"][0]
    assert all(told.get("description") for told in schema["properties"].values())


def test_the_command_lists_all_keys_and_explains_one():
    listed = run("config")
    assert listed.code == 0
    assert {line.split()[0] for line in listed.stdout.split("\n")[: len(KEYS)]} == set(KEYS)
    assert len(json.loads(run("config", "--json").stdout)["keys"]) == len(KEYS)
    shown = run("config", "history").stdout
    assert all(f"- {history}: the model" in shown for history in History)
    assert "--set 'history=tree'" in shown
    assert json.loads(run("config", "train.turns", "--json").stdout)["default"] == "all"
    wrong = run("config", "zzzz")
    assert wrong.code == 2
    assert "maskprep config" in wrong.stderr
