"""The configuration that ``init`` writes: it builds, every line is explained, and what is left out are defaults."""

from __future__ import annotations

import re

import pytest
import yaml
from builds import THINKS, chat, jsonl, run
from bundled import TOKENIZER
from refusals import REFUSALS

from maskprep.config import Config, load
from maskprep.config.schema import FILE
from maskprep.examples.history_cost import Cost, Costs
from maskprep.examples.remedies import Remedy
from maskprep.policy import History
from maskprep.recommend.commented import commented
from maskprep.recommend.recommendation import Alternative, Left, Recommendation


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jinja").write_text(THINKS)
    (tmp_path / "rows.jsonl").write_bytes(jsonl(*[chat(*["word"] * 16)] * 3))
    return tmp_path


def test_what_it_writes_builds_all_rows_and_is_never_overwritten(here):
    words = ("init", "rows.jsonl", "--tokenizer", TOKENIZER, "--chat-template", "t.jinja", "--write", "c.yaml")
    done = run(*words)
    assert (done.code, done.stdout) == (0, "")
    assert "maskprep build --config c.yaml" in done.stderr
    text = (here / "c.yaml").read_text()
    assert f"# yaml-language-server: $schema={FILE}\n" in text
    assert FILE.is_file()
    assert yaml.safe_load(text)["history"] == "tree"
    assert "3 used" in text
    built = run("build", "--config", "c.yaml", "--json")
    assert built.json["totals"]["rows_used"] == 3
    again = run(*words)
    assert again.code == 2
    assert "is not overwritten" in again.stderr
    assert (here / "c.yaml").read_text() == text


def test_every_key_that_is_left_out_stands_there_with_its_default(here):
    text = run("init").stdout
    set_, rest = text.split("# Every other key")
    assert yaml.safe_load(set_).keys() == {"sources", "tokenizer", "output"}
    lines = [line.removeprefix("# ") for line in rest.split("\n")[1:] if line]
    assert all("  # " in line for line in lines)
    told = yaml.safe_load("\n".join(lines))
    assert told.keys() == Config.model_fields.keys() - yaml.safe_load(set_).keys()
    assert told.pop("packing")["strategy"] == "best_fit"
    config = load(None, {**told, "sources": "x", "tokenizer": "t"})
    assert config == load(None, {"sources": "x", "tokenizer": "t"})


def test_a_section_is_written_with_what_each_of_its_keys_means(here):
    template, data, _ = REFUSALS["one system message"]
    from refusals import TEMPLATES

    (here / "t.jinja").write_text(TEMPLATES[template])
    (here / "rows.jsonl").write_bytes(jsonl(data))
    text = run("init", "rows.jsonl", "--tokenizer", TOKENIZER, "--chat-template", "t.jinja").stdout
    assert re.search(r"^adapt:\n  # system messages behind.*\n(  #.*\n)*  system: merge$", text, re.MULTILINE)


def test_text_of_data_or_template_cannot_end_a_comment():
    evil = Left("template-error", 1, "x:1", "no\nsources: [/etc/passwd]\r\n\u2028output: /tmp/x")
    costs = Costs()
    way = Alternative(Remedy(()), Cost(), 1.0, "")
    found = Recommendation(Remedy(()), 1, 0, 0, way, (evil,), (), (), costs, {})
    text = commented({"sources": ["a"], "tokenizer": "t", "output": "o"}, found)
    assert yaml.safe_load(text) == {"sources": ["a"], "tokenizer": "t", "output": "o"}
    assert found.price(History.SPLIT) == 1.0


def test_no_rows_and_no_files_are_told(here):
    (here / "empty.jsonl").write_bytes(b"")
    assert run("init", "empty.jsonl", "--tokenizer", TOKENIZER).code == 2
    assert run("init", "nowhere.jsonl", "--tokenizer", TOKENIZER).code == 2
