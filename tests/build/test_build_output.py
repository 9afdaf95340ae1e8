"""What a build leaves on disk: a data set that ``datasets`` opens, and a manifest that tells the truth about it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from builds import NOW, chat, rejects, run, tree
from bundled import ROOT, SAMPLE, TOKENIZER
from datasets import Dataset, Features, List, Value, load_from_disk
from transformers import AutoTokenizer

import maskprep

PARTS = {"content", "reasoning", "tool_call", "tools", "documents", "scaffold", "stop"}
ROLES = {"system", "developer", "user", "assistant", "tool", "template"}
SPAN = {
    "role": Value("string"),
    "part": Value("string"),
    "message": Value("int32"),
    "start": Value("int32"),
    "end": Value("int32"),
    "trained": Value("bool"),
}
FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "labels": List(Value("int32")),
        "spans": List(SPAN),
        "origin": {"file": Value("string"), "line": Value("int64"), "sequence": Value("int32")},
    }
)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The bundled sample, built as the README says, and its report. It is shared: look, and change nothing."""
    folder = tmp_path_factory.mktemp("quickstart")
    (folder / "sample_data").symlink_to(SAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outcome = run("build", "--config", ROOT / "configs" / "quickstart.yaml", "--json")
    assert outcome.code == 0, outcome
    return folder / "out" / "quickstart", outcome.json


@pytest.fixture
def quickstart(once, place):
    """The same, where its source is found by its relative name."""
    (place / "sample_data").symlink_to(SAMPLE)
    return once


def open_rows(folder: Path) -> Dataset:
    return load_from_disk(str(folder))


def test_the_sample_is_built_and_datasets_opens_it(quickstart):
    folder, report = quickstart
    data = open_rows(folder)
    assert data.features == FEATURES
    assert data.column_names == ["input_ids", "labels", "spans", "origin"]
    assert len(data) == report["totals"]["sequences"] > 40
    assert report["totals"]["rows"] == 61
    assert report["totals"]["rows_used"] == 55
    assert report["totals"]["rows_rejected"] == 6
    codes = ["control-token", "nan", "no-messages", "not-an-object", "not-json", "unknown-role"]
    assert sorted(report["totals"]["rejects"]) == codes


def test_spans_tile_each_row_and_agree_with_its_labels(quickstart):
    for row in open_rows(quickstart[0]):
        ids, labels, spans = row["input_ids"], row["labels"], row["spans"]
        assert len(ids) == len(labels) > 0
        assert [spans[0]["start"], spans[-1]["end"]] == [0, len(ids)]
        assert all(one["end"] == two["start"] for one, two in pairwise(spans))
        assert all(span["start"] < span["end"] for span in spans)
        assert labels[0] == -100
        for span in spans:
            stretch = slice(span["start"], span["end"])
            expected = ids[stretch] if span["trained"] else [-100] * (span["end"] - span["start"])
            assert labels[stretch] == expected
            assert span["role"] in ROLES
            assert span["part"] in PARTS
            assert not span["trained"] or span["role"] == "assistant"
            assert (span["message"] == -1) == (span["role"] == "template")


def test_each_row_says_which_line_it_comes_from_and_spells_that_line(quickstart):
    folder, _ = quickstart
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    lines = (ROOT / "sample_data" / "conversations.jsonl").read_text("utf-8").split("\n")
    sequences: Counter[int] = Counter()
    for row in open_rows(folder):
        origin = row["origin"]
        assert origin["file"] == "sample_data/conversations.jsonl"
        assert origin["sequence"] == sequences[origin["line"]]
        sequences[origin["line"]] += 1
        first = json.loads(lines[origin["line"] - 1])["messages"][0]["content"]
        said = first if isinstance(first, str) else first[0]["text"]
        assert said in tokenizer.decode(row["input_ids"])
    rejected = {reject["line"] for reject in rejects(folder)}
    assert rejected.isdisjoint(sequences)
    assert rejected | set(sequences) == set(range(1, 62))


def test_the_manifest_counts_what_is_in_the_shards(quickstart):
    folder, report = quickstart
    manifest = json.loads((folder / "maskprep" / "manifest.json").read_text())
    assert {key: report[key] for key in manifest} == manifest
    totals, rows = manifest["totals"], open_rows(folder)
    tokens: Counter[tuple[str, str]] = Counter()
    trained: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for span in row["spans"]:
            kind = (span["role"], span["part"])
            tokens[kind] += span["end"] - span["start"]
            trained[kind] += sum(label != -100 for label in row["labels"][span["start"] : span["end"]])
    assert totals["sequences"] == len(rows)
    assert totals["tokens"] == tokens.total() == sum(map(len, rows["input_ids"]))
    assert totals["trained_tokens"] == trained.total() > 1000
    assert totals["longest_sequence"] == max(map(len, rows["input_ids"]))
    assert totals["unfaithful_tokens"] == 0
    counted = {(kind["role"], kind["part"]): kind for kind in totals["by_role_and_part"]}
    assert {kind: entry["tokens"] for kind, entry in counted.items()} == dict(tokens)
    assert {kind: entry["trained_tokens"] for kind, entry in counted.items()} == {k: trained[k] for k in tokens}
    assert totals["rows"] == totals["rows_used"] + totals["rows_rejected"]


def test_findings_are_kept_by_row_and_counted(quickstart):
    folder, report = quickstart
    found = [json.loads(line) for line in (folder / "maskprep" / "findings.jsonl").read_text("ascii").splitlines()]
    assert all(sorted(finding) == ["byte", "code", "file", "line", "message"] for finding in found)
    lines: dict[str, set[int]] = {}
    for finding in found:
        lines.setdefault(finding["code"], set()).add(finding["line"])
    totals = report["totals"]["findings"]
    assert {code: len(rows) for code, rows in lines.items()} == {code: seen["rows"] for code, seen in totals.items()}
    assert {"border-split", "text-parts-joined"} <= lines.keys()
    for code, seen in totals.items():
        first = next(finding for finding in found if finding["code"] == code)
        assert seen["example"] == {key: first[key] for key in ("file", "line", "message")}


def test_receipts_hold_the_hash_and_the_counts_of_each_shard(build, source, place, monkeypatch):
    monkeypatch.setattr("maskprep.dataset.files.ROWS_PER_BATCH", 10)
    rows = [chat(f"question {index}", f"answer {index}" * (index % 3 + 1)) for index in range(35)]
    # A size that any batch exceeds: a shard for every ten rows.
    outcome = build(source(*rows), "--output", "out", "--set", "shard_bytes=1", "--json")
    assert outcome.code == 0, outcome
    names = [f"data-0000{index}-of-00004.arrow" for index in range(4)]
    assert sorted(path.name for path in (place / "out").glob("data-*")) == names
    assert [receipt["file"] for receipt in outcome.json["shards"]] == names
    position = 0
    for receipt, count in zip(outcome.json["shards"], [10, 10, 10, 5], strict=True):
        raw = (place / "out" / receipt["file"]).read_bytes()
        assert receipt["sha256"] == hashlib.sha256(raw).hexdigest()
        assert receipt["bytes"] == len(raw)
        with pa.ipc.open_stream(raw) as stream:
            table = stream.read_all()
        assert receipt["rows"] == len(table) == count
        labels = table["labels"].combine_chunks().flatten().to_pylist()
        assert receipt["tokens"] == len(labels)
        assert receipt["trained_tokens"] == sum(label != -100 for label in labels)
        lines = [origin["line"] for origin in table["origin"].to_pylist()]
        assert lines == list(range(position + 1, position + count + 1))
        assert [receipt["first"]["line"], receipt["last"]["line"]] == [lines[0], lines[-1]]
        position += count
    opened = open_rows(place / "out")
    assert opened["origin"][:] == [{"file": "rows.jsonl", "line": line, "sequence": 0} for line in range(1, 36)]


def test_shards_are_plain_arrow_streams(quickstart):
    """The IPC file format cannot be opened by datasets, and compressed streams cannot be mapped."""
    folder, report = quickstart
    for receipt in report["shards"]:
        path = folder / receipt["file"]
        assert path.read_bytes()[:6] != b"ARROW1"
        with pa.memory_map(str(path)) as mapped:
            before = pa.total_allocated_bytes()
            table = pa.ipc.open_stream(mapped).read_all()
            assert table.nbytes > 10_000
            assert pa.total_allocated_bytes() - before < table.nbytes / 2


def test_the_tokenizer_is_kept_beside_the_rows(quickstart):
    folder, _ = quickstart
    kept, given = AutoTokenizer.from_pretrained(folder / "tokenizer"), AutoTokenizer.from_pretrained(TOKENIZER)
    text = "<|im_start|>user\nhé 世界<|im_end|>\n"
    assert kept(text)["input_ids"] == given(text)["input_ids"]
    assert kept.get_vocab() == given.get_vocab()
    assert kept.chat_template == given.chat_template
    assert (kept.eos_token, kept.pad_token) == (given.eos_token, given.pad_token)


def test_a_template_from_a_file_is_kept_with_the_tokenizer(build, source, place):
    template = "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ eos_token }}{% endfor %}"
    template += "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    (place / "mine.jinja").write_text(template)
    assert build(source(chat("a", "b")), "--chat-template", "mine.jinja", "--output", "out").code == 0
    kept = AutoTokenizer.from_pretrained(place / "out" / "tokenizer")
    assert kept.chat_template == template


def test_the_manifest_says_what_made_the_data(build, source, place):
    outcome = build(
        source(chat("a", "b")), "--output", "out", "--set", f"now={NOW}", "--set", "max_length=99", "--json"
    )
    manifest = outcome.json
    assert manifest["format_version"] == 1
    assert manifest["now"] == NOW
    assert manifest["stop_tokens"] == ["<|im_end|>"]
    assert manifest["config"]["max_length"] == 99
    assert manifest["config"]["sources"][0]["path"] == "rows.jsonl"
    assert manifest["versions"]["maskprep"] == maskprep.__version__
    assert {"python", "datasets", "jinja2", "pyarrow", "tokenizers", "transformers"} < manifest["versions"].keys()


def test_the_fingerprint_follows_configuration_template_tokenizer_and_time(build, source, place):
    rows = source(chat("a", "b"))
    copy = place / "copy"
    copy.mkdir()
    for file in TOKENIZER.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**config, "bos_token": "<|im_start|>"}))
    template = (TOKENIZER / "chat_template.jinja").read_text()
    (place / "same.jinja").write_text(template)
    (place / "other.jinja").write_text(template + "{# another #}")

    def fingerprint(*args, **more):
        at = [] if any("now=" in str(arg) for arg in args) else ["--set", f"now={NOW}"]
        outcome = build(rows, *args, *at, "--output", "out", "--overwrite", "--json", **more)
        assert outcome.code == 0, outcome
        return outcome.json["fingerprint"]

    plain = fingerprint()
    assert plain == fingerprint()
    others = [
        fingerprint("--set", "now=2026-01-03T00:00:00+00:00"),
        fingerprint("--max-length", "500"),
        fingerprint("--chat-template", "other.jinja"),
        fingerprint(tokenizer="copy"),
    ]
    assert len({plain, *others}) == 5


@pytest.mark.long
def test_two_builds_at_the_same_time_are_the_same_bytes(start, place):
    """In processes with other hash seeds, so that no order of a set decides."""
    rows = ROOT / "sample_data" / "conversations.jsonl"
    given = (rows, "--set", f"now={NOW}", "--max-rejects", "1", "--output", "out", "--overwrite", "--history", "split")
    trees = []
    for seed in ("1", "2"):
        outcome = start(*given, env={"PYTHONHASHSEED": seed}).finish()
        assert outcome.code == 0, outcome
        trees.append(tree(place / "out"))
    assert trees[0] == trees[1]
    assert len(trees[0]) >= 7


def test_only_the_time_differs_between_two_builds_without_one(build, source, place, monkeypatch):
    rows = source(chat("a", "b"))
    assert build(rows, "--output", "one", "--set", "now=2026-01-01T00:00:00+00:00").code == 0
    assert build(rows, "--output", "two", "--set", "now=2026-02-01T00:00:00+00:00").code == 0
    one, two = tree(place / "one"), tree(place / "two")
    # The data set's own fingerprint stands in state.json: datasets caches by it. The page tells when it was built.
    told = {"state.json", "maskprep/manifest.json", "maskprep/report.html"}
    assert {name for name in one if one[name] != two[name]} == told


def test_an_empty_data_set_opens(build, source, place):
    outcome = build(source({}, {"messages": []}), "--max-rejects", "1", "--output", "out", "--json")
    assert outcome.code == 0
    assert outcome.json["totals"]["rows_rejected"] == 2
    data = open_rows(place / "out")
    assert len(data) == 0
    assert data.features == FEATURES


def test_the_summary_names_what_happened_and_what_to_do_next(build, place):
    (place / "sample_data").symlink_to(ROOT / "sample_data")
    outcome = build("--config", ROOT / "configs" / "quickstart.yaml", tokenizer=None)
    assert outcome.code == 0
    assert outcome.stderr == ""
    said = outcome.stdout
    for fact in ("61 conversations read, 55 used, 6 rejected", "% ", "border-split", "control-token"):
        assert fact in said
    for example in ("sample_data/conversations.jsonl:8:", "sample_data/conversations.jsonl:56: NaN is not JSON"):
        assert example in said
    assert "out/quickstart" in said.partition("next:")[2]


def test_a_page_of_many_rows_has_none_that_is_too_long_for_it(quickstart, monkeypatch):
    from maskprep.inspect.command import Output

    output = Output.open(str(quickstart[0]))
    lengths = output.data.lengths()[0]
    assert output.examples(50, 2) == [*range(50)]
    monkeypatch.setattr("maskprep.inspect.output._LONGEST", int(lengths[0]))
    assert output.examples(50, 2) == [number for number in range(50) if lengths[number] <= lengths[0]] != [*range(50)]
