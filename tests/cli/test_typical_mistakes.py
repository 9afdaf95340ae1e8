"""Typical mistakes at the command line: the exit code, a message that names the thing, and a next step."""

from __future__ import annotations

import json
import re

import pytest
from builds import LOUD, chat, jsonl, run
from bundled import TOKENIZER

T = ("--tokenizer", str(TOKENIZER))
BUILD = ("build", "rows.jsonl", *T, "--output", "new")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of rows, good and bad, and of one build."""
    there = tmp_path_factory.mktemp("mistakes")
    rows = [chat("Hi", "Hello there."), chat("Who are you?", "A program.", "Since when?", "Since 2020.")]
    (there / "rows.jsonl").write_bytes(jsonl(*rows))
    (there / "plain.jsonl.gz").write_bytes(jsonl(*rows))
    (there / "keys.jsonl").write_bytes(jsonl({"topic": "x", "talk": [1], "n": 1}))
    (there / "speaker.jsonl").write_bytes(jsonl({"messages": [{"speaker": "me", "said": "x"}, {"speaker": "you"}]}))
    (there / "text.jsonl").write_text("Hello.\nHow are you?\n")
    (there / "empty.jsonl").write_text("")
    (there / "bad.yaml").write_text("train:\n  turns: [\n")
    (there / "key.yaml").write_text("sources: rows.jsonl\nmax_lenght: 5\n")
    (there / "m.gguf").write_bytes(b"GGUF")
    (there / "holds").mkdir()
    (there / "holds" / "notes.txt").write_text("mine")
    (there / "tok").mkdir()
    words = ["build", there / "rows.jsonl", *T, "--output", there / "out"]
    assert run(*words).code == 0
    return there


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in LOUD:
        monkeypatch.delenv(name, raising=False)
    return folder


def mistake(name, words, code, *told):
    return pytest.param(words, code, told, id=name)


MISTAKES = [
    # The settings
    mistake("a list of one, misspelt", (*BUILD, "--set", "train.parts=[contents]"), 2, "parts[0]", "'content'?"),
    mistake("one value, misspelt", (*BUILD, "--set", "train.roles=asistant"), 2, "train.roles", "'assistant'?"),
    mistake(
        "turns as a number", (*BUILD, "--set", "train.turns=2"), 2, "train.turns: must be all", "not 2", "'2 last'?"
    ),
    mistake("turns, misspelt", (*BUILD, "--set", "train.turns=lsat"), 2, "train.turns", "did you mean 'last'?"),
    mistake("packing of nothing", (*BUILD, "--set", "packing=0"), 2, "packing.length", "must be 2 or more, not 0"),
    mistake("packing as a word", (*BUILD, "--set", "packing=yes please"), 2, "packing: must be a number of tokens"),
    mistake("a profile, misspelt", (*BUILD, "--profile", "tlr"), 2, "profile", "hf, trl, axolotl", "mean 'trl'?"),
    mistake("a history, misspelt", (*BUILD, "--history", "splt"), 2, "history", "not 'splt'", "mean 'split'?"),
    mistake("an engine, misspelt", (*BUILD, "--engine", "loca"), 2, "engine: must be one of local, ray", "'local'?"),
    mistake("an adaptation, misspelt", (*BUILD, "--set", "adapt.system=merged"), 2, "adapt.system", "mean 'merge'?"),
    mistake("a key, misspelt", (*BUILD, "--set", "train.rolls=user"), 2, "unknown key 'train.rolls'", "'roles'?"),
    mistake("a section, misspelt", (*BUILD, "--set", "trian.turns=last"), 2, "unknown key 'trian'", "mean 'train'?"),
    mistake("a truth that is none", (*BUILD, "--set", "shuffle=maybe"), 2, "shuffle: must be true or false", "'maybe'"),
    mistake("a fraction above one", (*BUILD, "--max-rejects", "5"), 2, "max_rejects: must be 1 or less, not 5"),
    mistake("a length of one", (*BUILD, "--max-length", "1"), 2, "max_length: must be 2 or more, not 1"),
    mistake("a length in words", (*BUILD, "--max-length", "ten"), 2, "--max-length", "integer", "maskprep build -h"),
    mistake("no row at all", (*BUILD, "--limit", "0"), 2, "--limit", "greater than or equal to 1"),
    mistake("a setting without a value", (*BUILD, "--set", "history"), 2, "--set history: must be key.path=value"),
    mistake("a file of settings that is gone", (*BUILD, "--config", "no.yaml"), 2, "'no.yaml'", "--config"),
    mistake("a file that is no YAML", (*BUILD, "--config", "bad.yaml"), 2, "bad.yaml:", "not YAML"),
    mistake("a key in a file, misspelt", ("build", *T, "--config", "key.yaml"), 2, "key.yaml:2:", "'max_length'?"),
    # What is read
    mistake("a file, misspelt", ("build", "row.jsonl", *T, "-o", "new"), 2, "row.jsonl: did you mean rows.jsonl?"),
    mistake("a glob of nothing", ("build", "*.parquet", *T, "-o", "new"), 2, "no file matches *.parquet", "looked up"),
    mistake("plain text named .gz", ("build", "plain.jsonl.gz", *T, "-o", "new"), 2, "plain text", "rename it"),
    mistake("no JSON", ("build", "text.jsonl", *T, "-o", "new"), 1, "not-json", "text.jsonl:1", "fix:"),
    mistake("an empty file", ("build", "empty.jsonl", *T, "-o", "new"), 1, "there is no row in empty.jsonl"),
    mistake("unknown keys", ("build", "keys.jsonl", *T, "-o", "new"), 1, "'topic', 'talk'", "messages: 'talk'"),
    mistake(
        "unknown keys of messages",
        ("build", "speaker.jsonl", *T, "-o", "new"),
        1,
        "'speaker', 'said'",
        "columns: {role: 'speaker', content: 'said'}",
    ),
    mistake("rows too large", (*BUILD, "--set", "max_row_bytes=20"), 1, "row-too-large", "raise max_row_bytes"),
    mistake("a column that is not there", (*BUILD, "--set", "columns={messages: dialog}"), 2, "'dialog'"),
    mistake("no source", ("build", *T, "-o", "new"), 2, "sources is missing: give SOURCE"),
    # The tokenizer and where to
    mistake("no tokenizer", ("build", "rows.jsonl", "-o", "new"), 2, "tokenizer is missing: give --tokenizer"),
    mistake(
        "a folder that is gone",
        ("build", "rows.jsonl", "--tokenizer", "./no", "-o", "new"),
        2,
        "no tokenizer at './no': there is no such folder",
        "tokenizer.json",
    ),
    mistake(
        "a folder without one",
        ("build", "rows.jsonl", "--tokenizer", "tok", "-o", "new"),
        2,
        "'tok'",
        "it lacks tokenizer.json",
    ),
    mistake(
        "a template of no name",
        (*BUILD, "--chat-template", "no.jinja"),
        2,
        "no chat template file 'no.jinja'",
        "--chat-template",
    ),
    mistake("no output", ("build", "rows.jsonl", *T), 2, "output is missing: give --output"),
    mistake("an output that is a file", ("build", "rows.jsonl", *T, "-o", "rows.jsonl"), 2, "'rows.jsonl' is a file"),
    mistake("an output that is there", ("build", "rows.jsonl", *T, "-o", "out"), 2, "already holds", "--overwrite"),
    mistake("an output of another's", ("build", "rows.jsonl", *T, "-o", "holds"), 2, "notes.txt", "an empty folder"),
    # The commands
    mistake("a command, misspelt", ("biuld",), 2, "'biuld'", "Did you mean 'build'?"),
    mistake("an option, misspelt", (*BUILD, "--overwite"), 2, "--overwite", "--overwrite"),
    mistake("a source for a build", ("verify", "rows.jsonl"), 2, "'rows.jsonl' is no finished build", "--output"),
    mistake("no build", ("settings", "nowhere"), 2, "'nowhere' is no finished build", "the --output folder"),
    mistake("a row behind the last", ("inspect", "out", "--row", "9"), 2, "there is no row 9: there are 2", "from 0"),
    mistake("rows without a colon", ("inspect", "out", "--rows", "5"), 2, "--rows 5: must be A:B", "--rows 10:20"),
    mistake("an export over the build", ("export", "out", "-o", "out"), 2, "within each other", "another folder"),
    mistake(
        "an export that tokenizes",
        ("export", "out", "-o", "n", "--set", "history=mask"),
        2,
        "cannot change history",
        "build again",
    ),
    mistake("a repository of no owner", ("push", "out", "chats"), 2, "'chats'", "NAMESPACE/NAME"),
    mistake("a model that is gone", ("verify", "out", "--model", "x.gguf"), 2, "--model x.gguf", "no such file"),
    mistake("rows in words", ("verify", "out", "--rows", "some"), 2, "--rows some: must be a number of rows, or all"),
    mistake("a device of no name", ("verify", "out", "--device", "gpu"), 2, "gpu", "cuda"),
]


@pytest.mark.parametrize(("words", "code", "told"), MISTAKES)
def test_a_typical_mistake_is_named_with_a_next_step(here, words, code, told):
    outcome = run(*words)
    assert outcome.code == code
    assert outcome.stdout == ""
    for text in told:
        assert text in outcome.stderr, outcome.stderr
    steps = ("what to do:", "Try 'maskprep", "did you mean", "fix:", "give ")
    assert any(step in outcome.stderr for step in steps), outcome.stderr
    assert "Error:" in outcome.stderr or re.search("^maskprep: ", outcome.stderr, re.MULTILINE)
    assert not (here / "new" / "state.json").exists()


def test_there_are_at_least_forty():
    assert len(MISTAKES) >= 40


def test_a_model_in_a_file_says_what_to_install(here, monkeypatch):
    from maskprep.verify import options

    found = options.find_spec
    monkeypatch.setattr(options, "find_spec", lambda name: None if name == "gguf" else found(name))
    outcome = run("verify", "out", "--model", "m.gguf")
    assert outcome.code == 2
    assert "--model m.gguf" in outcome.stderr
    assert "what to do: pip install 'maskprep[gguf]'" in outcome.stderr


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("train.roles=assistant", ("train", "roles"), ["assistant"]),
        ("train.parts=content", ("train", "parts"), ["content"]),
        ("stop_tokens=<|im_end|>", ("stop_tokens",), ["<|im_end|>"]),
        ("ignore=id", ("ignore",), ["id"]),
        ("tokenizer.add_tokens=<x>", ("tokenizer", "add_tokens"), ["<x>"]),
        ("packing=64", ("packing", "length"), 64),
    ],
)
def test_a_setting_that_takes_several_values_takes_one(here, tmp_path, setting, key, value):
    outcome = run("build", "rows.jsonl", *T, "--output", tmp_path / "one", "--set", setting, "--json")
    found = outcome.json["config"]
    for step in key:
        found = found[step]
    assert found == value


def test_one_row_is_spoken_of_as_one(here):
    said = run("build", "keys.jsonl", *T, "--output", "new").stderr
    assert "1 of 1 row (100.0%) was rejected" in said
    assert (
        json.loads((here / "new" / "maskprep" / "rejects.jsonl").read_text().splitlines()[0])["code"] == "no-messages"
    )
