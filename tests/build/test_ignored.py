"""Settings without effect are each told once with the reason; those with one are not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from builds import chat, jsonl

from maskprep.build.ignored import idle_settings, ignored_settings, made_in
from maskprep.config import Config, TokenizerChoice, Train, load
from maskprep.config.sections import Packing
from maskprep.template.chat_template import ChatTemplate

PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking %}!{% endif %}"
CLOCK = PLAIN + "{{ strftime_now('%Y') }}"

# What has an effect wherever it stands, or tells by itself where it has none.
ALWAYS = {
    *("sources", "drop_nulls", "duplicates", "shuffle", "split", "chat_template", "stop_tokens", "history", "output"),
    *("prompt_mismatch", "control_tokens", "packing", "profile", "max_rejects", "audit", "template_seconds"),
    *("template_bytes", "max_row_bytes", "workers", "engine", "tokenizer", "tokenizer.name", "tokenizer.backend"),
    *("tokenizer.add_tokens", "tokenizer.add_tokens_file", "tokenizer.add_special_tokens", "tokenizer.pad_token"),
    *("tokenizer.vocabulary_multiple", "train.roles", "train.turns", "train.parts"),
    *("packing.length", "packing.strategy", "packing.window"),
    *("adapt", "preference", "tool_tags", "ignore", "tokenizer.eos_token"),
}

# Settings, those of them without effect, and settings beside which they have one.
CASES = [
    (["overflow=split"], ["overflow"], ["max_length=9"]),
    (["overflow=reject"], ["overflow"], ["packing.length=9"]),
    (["max_length=99", "packing.length=50"], ["max_length"], ["packing.length=100"]),
    (["max_expansion=3", "history=mask"], ["max_expansion"], ["history=null"]),
    (["seed=7"], ["seed"], ["shuffle=true"]),
    (["seed=7", "packing={length: 9, strategy: in_order}"], ["seed"], ["packing.strategy=best_fit"]),
    (["seed=7", "sources=[{path: a, weight: 2}]"], ["seed"], ["sources=[{path: a, weight: 2.5}]"]),
    (["seed=7"], ["seed"], ["split=0.1"]),
    (["format=openai", "sources=[{path: a, format: alpaca}]"], ["format"], ["sources=[a]"]),
    (["mixed_formats=true", "format=openai"], ["mixed_formats"], ["format=auto"]),
    (["columns={a: b}", "sources=[{path: a, columns: {a: c}}]"], ["columns"], ["sources=[a]"]),
    (["roles={a: user}", "sources=[{path: a, roles: {a: tool}}]"], ["roles"], ["sources=[a]"]),
    (["now=2026-01-01"], ["now"], None),
    (["shard_bytes=5", "profile=together"], ["shard_bytes"], ["profile=axolotl"]),
    (["train.empty_reasoning=mask", "train.parts=[content]"], ["train.empty_reasoning"], ["train.parts=[scaffold]"]),
    (["train.tool_call_ids=mask", "train.parts=[content]"], ["train.tool_call_ids"], ["train.parts=[tool_call]"]),
    (["template_kwargs={enable_thinkng: true}"], ["template_kwargs.enable_thinkng"], None),
    (["template_kwargs={enable_thinking: true}"], [], None),
]
IDLE = {"ray_address": "auto", "worker_memory": 2**30, "worker_seconds": 9.0}


def made(settings: list[str]) -> Config:
    return load(None, {"tokenizer": "t"}, ["sources=[a]", *settings])


def notes(settings: list[str], template: str = PLAIN) -> dict[str, str]:
    config = made(settings)
    chat = ChatTemplate(template, {}, datetime(2026, 1, 1, tzinfo=UTC))
    found = ignored_settings(config, made_in(config), [chat], [1])
    return {note["key"]: note["why"] for note in found}


@pytest.mark.parametrize(("settings", "without", "remedy"), CASES)
def test_a_setting_without_effect_is_told_and_with_one_it_is_not(settings, without, remedy):
    found = notes(settings)
    assert list(found) == without
    assert all(found.values())
    if remedy is not None:
        assert without[0] not in notes([*settings, *remedy])


def test_defaults_are_never_told():
    assert notes([]) == {}
    assert notes(["packing={length: 9}", "history=mask"]) == {}


def test_a_time_that_the_template_asks_for_is_not_told():
    assert notes(["now=2026-01-01"], CLOCK) == {}


def test_an_unknown_variable_is_told_with_the_nearest_name_or_with_all():
    assert notes(["template_kwargs={enable_thinkng: 1}"])["template_kwargs.enable_thinkng"] == (
        "the template never asks for 'enable_thinkng'; did you mean 'enable_thinking'?"
    )
    assert notes(["template_kwargs={zz: 1}"])["template_kwargs.zz"].endswith("it asks for enable_thinking")
    told = notes(["template_kwargs={zz: 1}"], "{{ messages }}")["template_kwargs.zz"]
    assert told.endswith("it asks for no variable of yours")


def test_who_works_is_heeded_or_told():
    for key, value in IDLE.items():
        config = made([f"{key}={value}"])
        assert [note["key"] for note in idle_settings(config, made_in(config), 0)] == [key]
        ray = made([f"{key}={value}", "engine=ray"])
        assert idle_settings(ray, made_in(ray), None) == []
    assert idle_settings(made([]), made_in(made([])), 0) == []


def test_every_key_of_the_configuration_was_thought_of():
    sections = {"train": Train, "tokenizer": TokenizerChoice, "packing": Packing}
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    keys |= Config.model_fields.keys() - {"train"}
    told = {key.split(".")[0] if key.startswith("template") else key for _, without, _ in CASES for key in without}
    assert told.isdisjoint(ALWAYS)
    assert keys == told | ALWAYS | IDLE.keys()


def test_the_build_tells_them_on_the_terminal_in_the_manifest_and_as_json(build, place):
    (place / "a.jsonl").write_bytes(jsonl(chat("q", "a")))
    words = ["a.jsonl", "a.jsonl", "--set", "overflow=split", "--set", "worker_seconds=9", "--set", "now=2026-01-01"]
    outcome = build(*words, "--output", "out")
    assert outcome.code == 0, outcome.stderr
    told = [line.split(": ")[1] for line in outcome.stdout.splitlines() if line.startswith("no effect: ")]
    assert told == ["now", "overflow", "sources[1]", "worker_seconds"]
    facts = build(*words, "--output", "again", "--json").json
    assert [note["key"] for note in facts["ignored_settings"]] == told
    manifest = json.loads((place / "out" / "maskprep" / "manifest.json").read_text())
    assert [note["key"] for note in manifest["ignored_settings"]] == told[:-1]
    assert build(*words, "--workers", "1", "--output", "one").code == 0
    other = json.loads((place / "one" / "maskprep" / "manifest.json").read_text())
    assert {**other, "config": {**other["config"], "output": "out"}} == manifest


def test_a_variable_of_a_row_that_the_template_never_asks_for_is_a_finding(build, place):
    rows = [
        chat("q", "a", chat_template_kwargs={"enable_thinkng": True}),
        *[chat("q", "b", chat_template_kwargs={})] * 2,
    ]
    (place / "a.jsonl").write_bytes(jsonl(*rows))
    (place / "t.jinja").write_text(
        "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}{{ enable_thinking or '' }}"
    )
    totals = build("a.jsonl", "--chat-template", "t.jinja", "--output", "out", "--json").json["totals"]
    found = totals["findings"]["unknown-kwarg"]
    assert found["rows"] == 1
    assert "did you mean 'enable_thinking'?" in found["example"]["message"]
    assert len((place / "out" / "maskprep" / "findings.jsonl").read_text().splitlines()) == 2  # and a duplicate
