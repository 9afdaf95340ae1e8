"""What a page tells of the run that made a build."""

from __future__ import annotations

import json

from bundled import CONVERSATIONS, TOKENIZER
from inspections import make, sample_build

from maskprep.inspect.run_facts import run_facts


def manifest(folder):
    return json.loads((folder / "maskprep" / "manifest.json").read_bytes())


def test_only_settings_that_differ_from_the_defaults_are_told(tmp_path):
    told = run_facts(manifest(make(tmp_path / "out", CONVERSATIONS, "--history", "mask", "--set", "train.turns=last")))
    assert told["settings"] == {"history": "mask", "train.turns": "last", "max_rejects": 1.0}
    assert told["sources"] == [str(CONVERSATIONS)]
    assert told["tokenizer"] == str(TOKENIZER)
    assert "out" not in json.dumps({**told, "sources": [], "tokenizer": ""}), "a build may be moved"


def test_template_versions_and_date_are_told():
    whole = manifest(sample_build())
    told = run_facts(whole)
    assert told["template"] == "the tokenizer's own"
    assert whole["fingerprint_of"]["template"].startswith(told["template_digest"])
    assert len(told["template_digest"]) == 12
    assert told["versions"] == whole["versions"]
    assert told["date"] == whole["now"]
