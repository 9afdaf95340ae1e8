"""Every kind of source gives the same rows, is announced, inspected and verified."""

from __future__ import annotations

import csv
import gzip
import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from builds import chat, jsonl, rejects
from inspections import columns, facts, make, manifest, run, verified

from maskprep.sources import hub

CHATS = [chat(f"What is {number} and {number}?", f"It is {2 * number}.") for number in range(7)]
PAIRS = [{"prompt": f"What is {number}, and why?\n", "completion": f'"{number}"'} for number in range(7)]


def table(rows):
    return pa.Table.from_pylist(rows)


def write_jsonl(place, rows):
    (place / "rows.jsonl").write_bytes(jsonl(*rows))
    return "rows.jsonl"


def write_array(place, rows):
    (place / "rows.json").write_text(json.dumps(rows, indent=2))
    return "rows.json"


def write_minified(place, rows):
    (place / "rows.data").write_text(json.dumps(rows))
    return "rows.data"


def write_gzip(place, rows):
    (place / "rows.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    return "rows.json.gz"


def write_zstd(place, rows):
    (place / "rows.jsonl.zst").write_bytes(zstandard.compress(jsonl(*rows)))
    return "rows.jsonl.zst"


def write_parquet(place, rows):
    pq.write_table(table(rows), place / "rows.parquet", row_group_size=3)
    return "rows.parquet"


def write_arrow(place, rows):
    with pa.ipc.new_file(str(place / "rows.arrow"), table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=3)
    return "rows.arrow"


def write_stream(place, rows):
    with pa.ipc.new_stream(str(place / "stream.arrow"), table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=3)
    return "stream.arrow"


def write_saved(place, rows):
    datasets.Dataset.from_list(rows).save_to_disk("saved", num_shards=2)
    return "saved"


def write_splits(place, rows):
    data = datasets.Dataset.from_list(rows)
    datasets.DatasetDict({"train": data.select([0]), "test": data}).save_to_disk("splits")
    return "splits:test"


KINDS = {
    write_jsonl: "JSONL",
    write_array: "JSON array",
    write_minified: "JSON array",
    write_gzip: "JSON array",
    write_zstd: "JSONL",
    write_parquet: "Parquet",
    write_arrow: "Arrow file",
    write_stream: "Arrow stream",
    write_saved: "data set folder",
    write_splits: "data set folder",
}


def write_csv(place, rows, name="rows.csv", **options):
    with (place / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], **options)
        writer.writeheader()
        writer.writerows(rows)
    return name


def trained(out):
    return [(row["input_ids"], row["labels"]) for row in columns(out)]


@pytest.mark.long
def test_every_kind_of_source_gives_the_same_rows(place):
    wanted = trained(make(place / "plain", write_jsonl(place, CHATS)))
    assert len(wanted) == 7
    for write, kind in KINDS.items():
        source = write(place, CHATS)
        out = make(place / write.__name__, source)
        assert trained(out) == wanted, kind
        (understood,) = manifest(out)["sources"]
        assert (understood["source"], understood["kind"]) == (source, kind)
        assert (understood["format"], understood["rows"], understood["rows_chosen"]) == ("openai", 7, 7)
        assert [row["origin"]["line"] for row in columns(out)] == [1, 2, 3, 4, 5, 6, 7], kind
        assert verified(out)["rows"] == 5
        (shown,) = facts(source, "--row", "5", "--tokenizer", out / "tokenizer")["rows"]
        file = columns(out)[5]["origin"]["file"]
        assert shown["origin"] == {"file": file, "line": 6, "sequence": 0}
        (same,) = facts(out, "--origin", f"{file}:6")["rows"]
        assert same["text"] == shown["text"]


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [("rows.csv", {}, "CSV"), ("rows.tsv", {"delimiter": "\t"}, "TSV"), ("semi.csv", {"delimiter": ";"}, "CSV")],
)
def test_prompt_and_completion_from_csv(place, name, options, kind):
    wanted = trained(make(place / "plain", write_jsonl(place, PAIRS)))
    out = make(place / "out", write_csv(place, PAIRS, name, **options))
    assert trained(out) == wanted
    (understood,) = manifest(out)["sources"]
    assert (understood["kind"], understood["format"]) == (kind, "prompt_completion")
    assert [row["origin"]["line"] for row in columns(out)] == [2, 4, 6, 8, 10, 12, 14]  # prompts have a line break
    verified(out)


def test_rows_of_the_hub(place, monkeypatch):
    hub._load.cache_clear()
    data = datasets.Dataset.from_list(CHATS).to_iterable_dataset()
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.IterableDatasetDict({"train": data}))
    wanted = trained(make(place / "plain", write_jsonl(place, CHATS)))
    out = make(place / "out", "hf:somebody/chats")
    assert trained(out) == wanted
    assert columns(out)[3]["origin"] == {"file": "hf:somebody/chats:train", "line": 4, "sequence": 0}
    assert manifest(out)["sources"][0]["files"] == ["hf:somebody/chats:train"]
    verified(out)
    # Where the Hub cannot be reached, the rows are not compared, and it says so.
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub._load.cache_clear()
    outcome = run("verify", out, "--rows", "2", "--device", "cpu", "--json")
    source = next(check for check in outcome.json["checks"] if check["check"] == "source")
    assert source["verdict"] == "skipped"
    assert "the data set cannot be opened" in source["said"]


def test_offline_the_hub_is_an_error_that_says_what_to_do(build):
    outcome = build("hf:nobody/nothing", "--output", "out")
    assert outcome.code == 2
    assert "hf:nobody/nothing: the data set cannot be opened" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_folder_may_hold_files_of_several_kinds_and_shapes(place, build):
    (place / "all").mkdir()
    for write in (write_array, write_parquet):
        write(place / "all", CHATS)
    write_csv(place / "all", PAIRS)
    outcome = build("all", "--output", "out", "--json")
    assert outcome.code == 0, outcome
    told = [(entry["kind"], entry["format"], entry["rows"], entry["files"]) for entry in outcome.json["sources"]]
    assert told == [
        ("CSV", "prompt_completion", 7, ["all/rows.csv"]),
        ("JSON array", "openai", 7, ["all/rows.json"]),
        ("Parquet", "openai", 7, ["all/rows.parquet"]),
    ]
    verified(place / "out")


def test_the_summary_announces_what_was_understood(place, build):
    name = write_csv(place, [{"question": "a", "answer": "b"}] * 3)
    outcome = build(name, "--output", "out", "--set", "columns={prompt: question, completion: answer}")
    assert outcome.code == 0, outcome
    wanted = "rows.csv: CSV, format prompt_completion, columns prompt=question, completion=answer"
    assert f"{wanted}, 3 rows\n" in outcome.stdout
    assert "3 conversations read, 3 used, 0 rejected, 2 of them duplicates\n" in outcome.stdout


def test_the_summary_announces_the_roles_that_were_understood(place, build):
    told = json.dumps([{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}])
    name = write_csv(place, [{"dialog": told}] * 3)
    settings = ("--set", "columns={messages: dialog}", "--set", "roles={bot: assistant}")
    outcome = build(name, "--output", "out", *settings)
    assert outcome.code == 0, outcome
    wanted = "rows.csv: CSV, format openai, columns messages=dialog, roles bot=assistant"
    assert f"{wanted}, 3 rows\n" in outcome.stdout
    assert "3 conversations read, 3 used, 0 rejected, 2 of them duplicates\n" in outcome.stdout


@pytest.mark.parametrize("text", ["[]", "[\n]\n", "", "prompt,completion\n"])
def test_a_source_of_no_rows_is_no_build(place, build, text):
    (place / "rows.csv" if text.startswith("prompt") else place / "rows.json").write_text(text)
    outcome = build("rows.csv" if text.startswith("prompt") else "rows.json", "--output", "out")
    assert outcome.code == 1
    assert "there is no row in rows." in outcome.stderr


def test_an_array_that_breaks_off_costs_what_is_missing(place, build):
    text = json.dumps(CHATS)
    (place / "rows.json").write_text(text[:-30])
    assert build("rows.json", "--output", "out").code == 1
    assert build("rows.json", "--output", "out", "--max-rejects", "0.5").code == 0
    assert [(reject["line"], reject["code"]) for reject in rejects(place / "out")] == [(7, "truncated-file")]
    assert len(columns(place / "out")) == 6
    verified(place / "out")


def test_tool_arguments_that_a_table_filled_with_nulls_are_reported_and_mended(place, build):
    calls = [
        {"type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in (("f", {"a": 1}), ("g", {"b": 2}))
    ]
    said = {"role": "assistant", "content": "", "tool_calls": calls}
    rows = [{"messages": [{"role": "user", "content": "go"}, said]}]
    write_parquet(place, rows)
    assert build("rows.parquet", "--output", "out").code == 0
    assert "null" in facts("out", "--row", "0")["rows"][0]["text"]
    assert manifest(place / "out")["totals"]["findings"]["nulls-filled"]["rows"] == 1
    assert build("rows.parquet", "--output", "mended", "--set", "drop_nulls=true").code == 0
    plain = make(place / "plain", write_jsonl(place, rows))
    assert trained(place / "mended") == trained(plain)
    verified(place / "out")
    verified(place / "mended")


def test_verify_finds_a_row_that_a_table_no_longer_has(place):
    out = make(place / "out", write_parquet(place, CHATS))
    pq.write_table(table([*CHATS[:3], chat("other", "row"), *CHATS[4:6]]), place / "rows.parquet")
    outcome = run("verify", out, "--rows", "all", "--device", "cpu", "--json")
    source = next(check for check in outcome.json["checks"] if check["check"] == "source")
    assert (outcome.code, source["verdict"]) == (1, "failed")
    assert "row 3 (rows.parquet:4)" in str(source)
    assert "row 6: rows.parquet has no line 7 any more" in str(source)


def test_a_build_is_no_source(place, build):
    make(place / "out", write_jsonl(place, CHATS))
    outcome = build("out", "--output", "other")
    assert outcome.code == 2
    assert "out is a build of maskprep, not a source" in outcome.stderr
