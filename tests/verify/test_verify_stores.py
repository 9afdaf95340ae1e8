"""`maskprep verify` goes back to the rows in the store, and says so where they are gone."""

from __future__ import annotations

import json

from builds import run
from bundled import TOKENIZER

from maskprep.storage import Remote


def maskprep(*words):
    done = run(*words)
    return done.code, done.json


def test_rows_are_rebuilt_from_the_store(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    turns = [{"role": "user", "content": "Is it cold?"}, {"role": "assistant", "content": "A little."}]
    Remote(s3.url).write("in/a.jsonl", json.dumps({"messages": turns}).encode() + b"\n")
    out = tmp_path / "out"
    code, report = maskprep(
        "build", f"{s3.url}/in/", "--tokenizer", TOKENIZER, "--output", out, "--workers", "0", "--json"
    )
    assert (code, report["totals"]["rows_used"]) == (0, 1)
    assert report["sources"][0]["files"] == [f"{s3.url}/in/a.jsonl"]
    code, report = maskprep("verify", out, "--json")
    (source,) = (check for check in report["checks"] if check["check"] == "source")
    assert (code, source["figures"]["rows"]) == (0, 1)
    Remote(s3.url).delete(["in/a.jsonl"])
    code, report = maskprep("verify", out, "--json")
    (source,) = (check for check in report["checks"] if check["check"] == "source")
    assert "cannot read s3://rows/in/a.jsonl: there is no such object" in json.dumps(source)
