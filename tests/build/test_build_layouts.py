"""Files as they lie about: pretty-printed, wrapped, and cloned from the Hub. What was read, and what not, is told."""

from __future__ import annotations

import json

from builds import chat, jsonl, rejects
from datasets import load_from_disk

ROWS = [chat(f"question {number}", "answer") for number in range(3)]


def test_objects_over_several_lines_are_rows(build, place):
    (place / "pretty.json").write_text("\n".join(json.dumps(row, indent=2) for row in ROWS))
    outcome = build("pretty.json", "--output", "out")
    assert outcome.code == 0, outcome.stderr
    assert "pretty.json: JSON objects over several lines, format openai, 3 rows" in outcome.stdout
    assert [origin["line"] for origin in load_from_disk(str(place / "out"))["origin"]] == [1, 2, 3]


def test_rows_in_an_object_are_read_and_their_list_is_named(build, place):
    data = json.dumps({"version": 1, "data": ROWS}).encode()
    (place / "wrapped.json").write_bytes(data)
    outcome = build("wrapped.json", "--output", "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["sources"][0]["under"] == "data"
    piped = build("-", "--output", "piped", stdin=data)
    assert "-: JSON object around a list, under data, format openai, 3 rows" in piped.stdout
    assert len(load_from_disk(str(place / "piped"))) == len(load_from_disk(str(place / "out"))) == 3


def test_a_pretty_file_that_breaks_off_is_one_reject_with_its_place(build, place):
    (place / "pretty.json").write_text("\n".join(json.dumps(row, indent=2) for row in ROWS)[:-9])
    outcome = build("pretty.json", "--output", "out", "--max-rejects", "0.5")
    assert outcome.code == 0, outcome.stderr
    (reject,) = rejects(place / "out")
    assert (reject["code"], reject["line"]) == ("truncated-file", 3)
    assert "begins on line" in reject["message"]


def test_several_workers_write_the_same(build, place):
    (place / "pretty.json").write_text("\n".join(json.dumps(row, indent=2) for row in ROWS))
    (place / "wrapped.json").write_text(json.dumps({"rows": ROWS}))
    for workers in ("0", "2"):
        assert build("pretty.json", "wrapped.json", "--output", workers, "--workers", workers).code == 0
    manifests = [(place / name / "maskprep" / "manifest.json").read_bytes() for name in ("0", "2")]
    assert json.loads(manifests[0])["shards"] == json.loads(manifests[1])["shards"]


def test_of_a_clone_of_the_Hub_train_is_built_and_the_rest_is_told(build, place):
    (place / "clone" / "data").mkdir(parents=True)
    for split, rows in (("train", ROWS), ("test", ROWS[:1])):
        (place / "clone" / "data" / f"{split}.jsonl").write_bytes(jsonl(*rows))
    (place / "clone" / "dataset_infos.json").write_text("{}")
    outcome = build("clone", "--output", "out")
    assert outcome.code == 0, outcome.stderr
    assert "clone: JSONL, split train, format openai, 3 rows" in outcome.stdout
    assert "clone: left out: dataset_infos.json (metadata), data/test.jsonl (split test)" in outcome.stdout
    manifest = json.loads((place / "out" / "maskprep" / "manifest.json").read_text())
    assert manifest["left_out"] == [
        {"source": "clone", "file": "dataset_infos.json", "reason": "metadata"},
        {"source": "clone", "file": "data/test.jsonl", "reason": "split test"},
    ]
    assert build("clone:test", "--output", "test", "--json").json["totals"]["rows"] == 1


def test_many_files_left_out_are_counted_by_reason(build, place):
    (place / "clone").mkdir()
    for number in range(9):
        (place / "clone" / f"test-{number}.jsonl").write_bytes(jsonl(ROWS[0]))
    (place / "clone" / "train.jsonl").write_bytes(jsonl(*ROWS))
    assert "clone: left out: 9 files (split test)" in build("clone", "--output", "out").stdout
