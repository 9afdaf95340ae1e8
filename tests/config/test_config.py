"""The configuration: what is loaded, what it hashes to, and how its faults are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from bundled import ROOT
from pydantic import ValidationError

from maskprep.config import Config, load
from maskprep.conversation import RESERVED_KWARGS
from maskprep.errors import UsageError

LEAST = {"sources": ["a.jsonl"], "tokenizer": "t", "output": "out"}


def test_the_defaults_are_those_of_the_documents():
    config = load(None, LEAST)
    assert config.model_dump(mode="json") == {
        **LEAST,
        "sources": [
            {
                "path": "a.jsonl",
                "format": None,
                "columns": {},
                "roles": {},
                "ignore": [],
                "weight": 1.0,
                "max_rows": None,
            }
        ],
        "tokenizer": {
            "name": "t",
            "backend": "auto",
            "add_tokens": [],
            "add_tokens_file": None,
            "add_special_tokens": [],
            "eos_token": None,
            "pad_token": None,
            "vocabulary_multiple": 1,
        },
        "format": "auto",
        "columns": {},
        "roles": {},
        "ignore": [],
        "preference": "reject",
        "tool_tags": "read",
        "mixed_formats": False,
        "drop_nulls": False,
        "duplicates": "keep",
        "shuffle": False,
        "seed": 0,
        "split": 0.0,
        "chat_template": None,
        "template_kwargs": {},
        "now": None,
        "stop_tokens": [],
        "history": None,
        "max_expansion": 2.0,
        "prompt_mismatch": "reject",
        "control_tokens": "reject",
        "adapt": {
            "system": "keep",
            "same_role": "keep",
            "tool_call_ids": "keep",
            "tool_results": "keep",
            "arguments": "keep",
            "first_assistant": "keep",
        },
        "train": {
            "roles": ["assistant"],
            "turns": "all",
            "parts": ["content", "reasoning", "tool_call", "scaffold", "stop"],
            "empty_reasoning": "train",
            "tool_call_ids": "train",
        },
        "max_length": None,
        "overflow": "reject",
        "packing": None,
        "profile": "hf",
        "max_rejects": 0.01,
        "audit": "sample",
        "template_seconds": 2.0,
        "template_bytes": 64 * 2**20,
        "max_row_bytes": 16 * 2**20,
        "shard_bytes": 256 * 10**6,
        "workers": None,
        "engine": "local",
        "ray_address": None,
        "worker_memory": None,
        "worker_seconds": 300.0,
    }


def test_a_configuration_is_frozen():
    with pytest.raises(ValidationError):
        load(None, LEAST).history = "mask"


def test_what_is_given_wins_over_settings_over_the_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("max_length: 5\nmax_rejects: 0.5\nhistory: mask\ntrain: {turns: last}\n")
    config = load(str(file), {**LEAST, "max_length": 7, "history": None}, ["max_length=6", "max_rejects=0.6"])
    assert (config.max_length, config.max_rejects, config.history) == (7, 0.6, "mask")
    assert config.train.turns == "last"


def test_settings_reach_into_nested_keys_and_add_to_those_of_the_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: {turns: last}\ntemplate_kwargs: {a: 1}\n")
    config = load(str(file), LEAST, ["train.parts=[content]", "template_kwargs.b={c: [1, x]}"])
    assert config.train.turns == "last"
    assert config.train.parts == ("content",)
    assert config.template_kwargs == {"a": 1, "b": {"c": [1, "x"]}}


def test_a_setting_makes_a_section_that_is_not_there(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("packing:\n")
    packing = load(str(file), LEAST, ["packing.length=64", "packing.strategy=in_order"]).packing
    assert (packing.length, packing.strategy, packing.window) == (64, "in_order", None)
    with pytest.raises(UsageError, match=r"packing\.length is missing"):
        load(None, LEAST, ["packing.strategy=in_order"])
    assert load(str(file), LEAST, base={"packing": {"length": 9}}, settings=["packing=null"]).packing is None


def test_an_empty_file_sets_nothing(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert load(str(tmp_path / "c.yaml"), LEAST) == load(None, LEAST)


def test_one_source_needs_no_list():
    assert load(None, {**LEAST, "sources": "a.jsonl"}).sources[0].path == "a.jsonl"


def test_values_that_hold_an_equals_sign_and_dots():
    assert load(None, LEAST, ["template_kwargs.a=b=c.d"]).template_kwargs == {"a": "b=c.d"}


def test_the_fingerprint_is_the_same_in_every_process():
    code = f"from maskprep.config import load; print(load(None, {LEAST!r}).fingerprint())"
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env).stdout.decode()
    assert there.strip() == load(None, LEAST).fingerprint()


def test_the_fingerprint_does_not_depend_on_where_the_values_stand(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps({"template_kwargs": {"b": 1, "a": 2}, "max_length": 9, **LEAST}))
    same = load(None, {**LEAST, "output": "elsewhere"}, ["max_length=9", "template_kwargs.a=2", "template_kwargs.b=1"])
    assert load(str(file), {}).fingerprint() == same.fingerprint()


@pytest.mark.parametrize(
    "setting",
    [
        "sources=[b.jsonl]",
        "format=openai",
        "columns={messages: dialog}",
        "roles={bot: assistant}",
        "ignore=[x]",
        "preference=chosen",
        "tool_tags=keep",
        "mixed_formats=true",
        "drop_nulls=true",
        "duplicates=drop",
        "shuffle=true",
        "seed=1",
        "split=0.1",
        "tokenizer=u",
        "chat_template=x",
        "template_kwargs.a=1",
        "now=2026-01-01T00:00:00Z",
        "stop_tokens=[x]",
        "history=mask",
        "max_expansion=3",
        "prompt_mismatch=graft",
        "control_tokens=keep",
        "adapt.system=merge",
        "train.turns=last",
        "train.parts=[content]",
        "max_length=9",
        "overflow=split",
        "packing.length=9",
        "profile=trl",
        "max_rejects=0.5",
        "template_seconds=5",
        "template_bytes=5",
        "max_row_bytes=5",
        "shard_bytes=5",
    ],
)
def test_the_fingerprint_follows_every_value(setting):
    key = setting.split("=")[0]
    given = {name: value for name, value in LEAST.items() if name != key}
    assert load(None, given, [setting]).fingerprint() != load(None, LEAST).fingerprint()


def test_what_is_checked_again_is_not_in_the_fingerprint():
    assert load(None, LEAST, ["audit=all"]).fingerprint() == load(None, LEAST).fingerprint()


WHO = {"workers", "engine", "ray_address", "worker_memory", "worker_seconds"}


@pytest.mark.parametrize(
    "setting",
    ["workers=7", "engine=ray", "ray_address=auto", "worker_memory=1000000000", "worker_seconds=5"],
)
def test_who_does_the_work_decides_nothing(setting):
    one, other = load(None, LEAST), load(None, LEAST, [setting])
    assert one != other
    assert one.fingerprint() == other.fingerprint()
    assert one.described() == other.described()


def test_what_is_described_is_all_but_who_does_the_work():
    assert set(load(None, LEAST).described()) == set(Config.model_fields) - WHO


def test_every_key_but_the_output_is_in_the_fingerprint_test():
    tested = {mark.split("=")[0].split(".")[0] for mark in _settings_of(test_the_fingerprint_follows_every_value)}
    assert tested == set(Config.model_fields) - {"output", "audit"} - WHO


def _settings_of(test) -> list[str]:
    return test.pytestmark[0].args[1]


def test_all_faults_are_told_at_once(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("max_length: 0\n\nhistroy: mask\ntrain:\n  turns: some\n")
    with pytest.raises(UsageError) as caught:
        load(str(file), {})
    lines = caught.value.message.split("; ")
    assert len(lines) == 5
    assert any(line.startswith(f"{file}:1: max_length: ") for line in lines)
    assert f"{file}:3: unknown key 'histroy': did you mean 'history'?" in lines
    assert any(line.startswith(f"{file}:5: train.turns: ") and line.endswith("not 'some'") for line in lines)
    assert any(line.startswith("sources is missing: give SOURCE") for line in lines)
    assert any(line.startswith("tokenizer is missing: give --tokenizer") for line in lines)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("max_length: 5\nseed: 1\nmax_length: 6\n", 1, 3),
        ("train:\n  turns: last\n  roles: [assistant]\n  'turns': all\n", 2, 4),
        ("sources:\n- path: a\n  weight: 1\n  weight: 2\n", 3, 4),
        ("columns: {a: b,\n a: c}\n", 1, 2),
        ("columns: {a: b, a: b}\n", 1, 1),
    ],
)
def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path, text, first, second):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=rf"c\.yaml:{second}: .*stands twice, first on line {first}:"):
        load(str(tmp_path / "c.yaml"), LEAST)


def test_a_key_that_stands_twice_in_a_setting_is_told():
    with pytest.raises(UsageError, match=r"--set columns=.*the key 'a' stands twice"):
        load(None, LEAST, ["columns={a: b, a: c}"])


def test_a_merged_key_may_be_said_again(tmp_path):
    (tmp_path / "c.yaml").write_text("columns: &c {messages: a}\nroles: {<<: {x: user}, <<: {y: user}, x: tool}\n")
    assert load(str(tmp_path / "c.yaml"), LEAST).roles["x"] == "tool"


@pytest.mark.parametrize("text", ["? [a, b]\n: 1\n", "? {a: b}\n: 1\n", "a: &a [*a]\n? *a\n: 1"])
def test_keys_that_are_no_text_are_told_and_end_nothing(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"c\.yaml"):
        load(str(tmp_path / "c.yaml"), LEAST)


def test_a_long_value_is_quoted_short():
    with pytest.raises(UsageError) as caught:
        load(None, {**LEAST, "history": "x" * 10_000})
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("name", sorted(RESERVED_KWARGS))
def test_reserved_names_are_refused(name):
    with pytest.raises(UsageError, match=name):
        load(None, {**LEAST, "template_kwargs": {name: 1}})


def test_reserved_names_are_all_that_a_template_is_given():
    assert {
        *("messages", "tools", "documents", "add_generation_prompt"),  # what it is called with
        *("chat_template", "tokenize", "return_dict", "continue_final_message", "padding", "truncation"),
        *("raise_exception", "strftime_now", "namespace", "dict", "eos_token", "bos_token"),
    } <= RESERVED_KWARGS
    assert "enable_thinking" not in RESERVED_KWARGS


@pytest.mark.parametrize("text", ["[1, 2", "a: {", "'", "a:\n\t- b", "\x00"])
def test_what_is_no_yaml_is_told_with_its_file(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"c\.yaml"):
        load(str(tmp_path / "c.yaml"), LEAST)
