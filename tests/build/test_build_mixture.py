"""Mixtures, order, splits and duplicates: right in number, the same every time, and verified."""

from __future__ import annotations

import json
from collections import Counter

import datasets
import pytest
import yaml
from builds import NOW, chat, rejects, tree
from inspections import columns, facts, manifest, refused, run, shown, verified


def rows_of(name, count):
    return [chat(f"{name} asks {number}", f"the answer is {number}") for number in range(count)]


@pytest.fixture
def configured(place, build):
    """Build with a configuration into a folder, and return that."""

    def go(output="out", code=0, **config):
        (place / "config.yaml").write_text(yaml.safe_dump({"now": NOW, **config}))
        outcome = build("--config", "config.yaml", "--output", output, "--overwrite", "--json")
        assert outcome.code == code, outcome
        return place / output if not code else outcome

    return go


def everything(out):
    """The rows of a data set, whole."""
    return [row for folder in (out, out / "train", out / "validation") for row in columns(folder)]


def origins(rows):
    return [(row["origin"]["file"], row["origin"]["line"]) for row in rows]


def bytes_of(out):
    """A hash of every file but the manifest, which says where the data set was written."""
    return {name: value for name, value in tree(out).items() if name != "maskprep/manifest.json"}


def test_a_weight_repeats_rows_and_leaves_rows_out(configured, source):
    few, many = source(*rows_of("few", 40), name="few.jsonl"), source(*rows_of("many", 400), name="many.jsonl")
    out = configured(sources=[{"path": few, "weight": 2.5}, {"path": many, "weight": 0.25}])
    counts = Counter(origins(columns(out)))
    times = Counter(count for (file, _), count in counts.items() if file == few)
    assert set(times) == {2, 3}
    assert times.total() == 40
    assert 8 < times[3] < 32
    assert {count for (file, _), count in counts.items() if file == many} == {1}
    chosen = sum(file == many for file, _ in counts)
    assert 70 < chosen < 130
    facts_of = manifest(out)["sources"]
    assert [(entry["rows"], entry["rows_chosen"], entry["weight"]) for entry in facts_of] == [
        (40, 40, 2.5),
        (400, chosen, 0.25),
    ]
    totals = manifest(out)["totals"]
    assert (totals["rows"], totals["rows_used"], totals["sequences"]) == (40 + chosen, 40 + chosen, counts.total())
    assert totals["tokens"] == sum(len(row["input_ids"]) for row in columns(out))
    verified(out)
    # Copies stand one behind the other, and inspect finds all of them.
    (file, line), times = next(item for item in counts.items() if item[1] == 3)
    assert len(facts(out, "--origin", f"{file}:{line}")["rows"]) == times
    assert (
        "many.jsonl: JSONL, format openai, 400 rows, weight 0.25: "
        in run("build", "--config", "config.yaml", "--output", "again", "--tokenizer", out / "tokenizer").stdout
    )


def test_which_rows_are_used_depends_on_the_seed_and_on_nothing_else(configured, source):
    name = source(*rows_of("a", 100))
    one, two, other = (
        configured(folder, sources=[{"path": name, "weight": 0.5}], seed=seed)
        for folder, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert bytes_of(one) == bytes_of(two)
    assert origins(columns(one)) == origins(columns(two)) != origins(columns(other))


def test_max_rows_are_the_first_of_the_source(configured, source):
    names = [source(*rows_of(name, 5), name=f"x-{name}.jsonl") for name in "ab"]
    out = configured(sources=[{"path": "x-*.jsonl", "max_rows": 7}])
    assert origins(columns(out)) == [(names[0], n) for n in range(1, 6)] + [(names[1], 1), (names[1], 2)]
    (understood,) = manifest(out)["sources"]
    assert (understood["rows"], understood["max_rows"]) == (7, 7)
    verified(out)


def test_a_rejected_row_of_some_weight_is_rejected_once(configured, source):
    name = source(chat("a", "b"), b"{", name="a.jsonl")
    out = configured(sources=[{"path": name, "weight": 3}], max_rejects=1)
    assert len(rejects(out)) == manifest(out)["totals"]["rows_rejected"] == 1
    assert manifest(out)["totals"]["sequences"] == 3


def test_sources_differ_in_shape_and_names(configured, source):
    source({"ask": "a", "say": "b"}, {"ask": "c", "say": "d"}, name="pairs.jsonl")
    source({"dialog": [{"who": "bot", "content": "x"}, {"who": "me", "content": "y"}, {"who": "bot", "content": "z"}]})
    other = {
        "path": "rows.jsonl",
        "columns": {"messages": "dialog", "role": "who"},
        "roles": {"bot": "assistant", "me": "user"},
    }
    pairs = {"path": "pairs.jsonl", "format": "prompt_completion", "columns": {"prompt": "ask", "completion": "say"}}
    out = configured(sources=[pairs, other])
    assert [(entry["format"], entry["rows"]) for entry in manifest(out)["sources"]] == [
        ("prompt_completion", 2),
        ("openai", 1),
    ]
    assert len(columns(out)) == 3
    verified(out)


def test_a_file_of_two_sources_that_differ_is_refused(configured, source):
    source(chat("a", "b"))
    outcome = configured(code=2, sources=["*.jsonl", {"path": "rows.jsonl", "weight": 2}])
    assert "rows.jsonl belongs to two sources that say different things of it" in outcome.json["error"]
    assert len(columns(configured(sources=["*.jsonl", "rows.jsonl"]))) == 1


def test_mixed_shapes_in_one_file_are_told_before_anything_is_written(configured, source, place):
    source(chat("a", "b"), {"prompt": "a", "completion": "b"})
    outcome = configured(code=2, sources=["rows.jsonl"])
    assert "rows.jsonl:1" in outcome.json["error"]
    assert "rows.jsonl:2" in outcome.json["error"]
    assert not (place / "out").exists()
    out = configured(sources=["rows.jsonl"], mixed_formats=True)
    assert manifest(out)["sources"][0]["format"] == "auto"
    assert len(columns(out)) == 2
    verified(out)


def test_shapes_of_standard_input_are_told_by_its_first_rows(build):
    outcome = build("-", "--output", "out", "--json", stdin=b'{"prompt": "a", "completion": "b"}\n' * 3)
    assert outcome.json["sources"][0] | {"files": 0} == {
        "source": "-",
        "kind": "JSONL",
        "format": "prompt_completion",
        "columns": {},
        "roles": {},
        "not_read": {},
        "weight": 1.0,
        "max_rows": None,
        "files": 0,
        "rows": 3,
        "rows_chosen": 3,
    }


# Order


def test_a_shuffle_mixes_the_sources_and_depends_on_the_seed_alone(configured, source):
    names = [source(*rows_of(name, 60), name=f"{name}.jsonl") for name in "ab"]
    plain = configured("plain", sources=names)
    one, two, other = (
        configured(folder, sources=names, shuffle=True, seed=seed, shard_bytes=1)
        for folder, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert bytes_of(one) == bytes_of(two)
    orders = [origins(columns(out)) for out in (plain, one, other)]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(sorted(order)) for order in orders}) == 1
    halves = Counter(file for file, _ in orders[1][:60])
    assert 15 < halves[names[0]] < 45
    assert sorted(map(str, columns(one))) == sorted(map(str, columns(plain)))
    assert not list(one.rglob("*staged*"))
    shards = manifest(one)["shards"]
    assert shards[0]["first"]["line"] == orders[1][0][1]
    assert len(datasets.load_from_disk(str(one))) == 120
    for out in (plain, one):
        verified(out)


def test_sequences_of_one_row_are_shuffled_one_by_one(configured, source):
    name = source(*(chat(*"abcdefgh") for _ in range(9)))
    out = configured(sources=[name], shuffle=True, history="split", seed=3)
    data = columns(out)
    sequences = [(row["origin"]["line"], row["origin"]["sequence"]) for row in data]
    assert len(set(sequences)) == len(sequences) == manifest(out)["totals"]["sequences"]


def test_a_comparison_finds_the_rows_of_a_shuffled_mixture(configured, source):
    names = [source(*rows_of(name, 20), name=f"{name}.jsonl") for name in "ab"]
    sources = [names[0], {"path": names[1], "weight": 2}]
    plain = configured("plain", sources=sources)
    mixed = configured("mixed", sources=sources, shuffle=True)
    other = configured("other", sources=sources, shuffle=True, train={"parts": ["content"]})
    for first, second, equal in ((plain, mixed, 40), (mixed, plain, 40), (mixed, other, 0)):
        counts = facts(first, "--compare", second)
        assert (counts["rows"], counts["equal"], counts["differing"]) == (40, equal, 40 - equal)
        assert counts["missing_in_first"] == counts["missing_in_second"] == 0


# Splits


def test_a_split_is_by_conversation_and_stable(configured, source):
    rows = rows_of("a", 200)
    name, again = source(*rows), source(*reversed(rows), *rows[:50], name="again.jsonl")
    one, two = (configured(folder, sources=[file], split=0.2) for folder, file in (("one", name), ("two", again)))
    data = datasets.load_from_disk(str(one))
    assert isinstance(data, datasets.DatasetDict)
    assert list(data) == ["train", "validation"]
    assert 20 < len(data["validation"]) < 60
    assert len(data["train"]) + len(data["validation"]) == 200

    def ids(out, split):
        return {tuple(row["input_ids"]) for row in columns(out / split)}

    # Whatever the order, and duplicates beside their likes.
    assert all(ids(one, split) == ids(two, split) for split in data)
    assert not ids(two, "train") & ids(two, "validation")
    assert len(columns(two / "train")) + len(columns(two / "validation")) == 250
    totals, splits = (manifest(one)[name] for name in ("totals", "splits"))
    assert {split: facts["sequences"] for split, facts in splits.items()} == {s: len(rows) for s, rows in data.items()}
    assert sum(facts["tokens"] for facts in splits.values()) == totals["tokens"]
    for out in (one, two, one / "validation", one / "train"):
        verified(out)


def test_sequences_of_one_conversation_stay_together(configured, source):
    name = source(*(chat(*(f"{number} {letter}" for letter in "abcdef")) for number in range(30)))
    out = configured(sources=[name], split=0.5, history="split", shuffle=True)
    train, validation = (set(origins(columns(out / split))) for split in ("train", "validation"))
    assert train
    assert validation
    assert not train & validation
    verified(out)


def test_another_seed_splits_otherwise(configured, source):
    name = source(*rows_of("a", 100))
    parts = [origins(columns(configured(sources=[name], split=0.3, seed=seed) / "validation")) for seed in (1, 2)]
    assert parts[0] != parts[1]


def test_a_validation_set_repeats_nothing(configured, source):
    name = source(*rows_of("a", 60))
    out = configured(sources=[{"path": name, "weight": 3}], split=0.4)
    counts = {split: set(Counter(origins(columns(out / split))).values()) for split in ("train", "validation")}
    assert counts == {"train": {3}, "validation": {1}}
    verified(out)


def test_a_split_is_inspected_whole_and_by_its_parts(configured, source):
    out = configured(sources=[source(*rows_of("a", 50))], split=0.3)
    sizes = [len(columns(out / split)) for split in ("train", "validation")]
    assert facts(out)["total_rows"] == 50
    assert facts(out / "validation")["total_rows"] == sizes[1]
    first = facts(out, "--row", str(sizes[0]))["rows"][0]
    assert first["text"] == facts(out / "validation", "--row", "0")["rows"][0]["text"]
    assert facts(out / "train", "--stats")["sequences"] == sizes[0]
    assert facts(out, "--stats")["sequences"] == 50
    assert "validation: " not in shown(out)


def test_a_split_may_be_empty(configured, source):
    out = configured(sources=[source(chat("a", "b"))], split=1e-9)
    assert {split: len(rows) for split, rows in datasets.load_from_disk(str(out)).items()} == {
        "train": 1,
        "validation": 0,
    }
    verified(out)


def test_a_build_without_a_split_replaces_one_with_it(configured, source, place):
    name = source(*rows_of("a", 20))
    configured(sources=[name], split=0.5)
    configured(sources=[name])
    assert not (place / "out" / "train").exists()
    assert isinstance(datasets.load_from_disk("out"), datasets.Dataset)
    configured(sources=[name], split=0.5)
    assert not list((place / "out").glob("*.arrow"))
    assert isinstance(datasets.load_from_disk("out"), datasets.DatasetDict)


def test_verify_finds_what_is_wrong_with_a_split(configured, source):
    out = configured(sources=[source(*rows_of("a", 30))], split=0.5)
    shard = out / "validation" / "data-00000-of-00001.arrow"
    (out / "train" / "data-00007-of-00008.arrow").write_bytes(shard.read_bytes())
    state = json.loads((out / "validation" / "state.json").read_text())
    (out / "validation" / "state.json").write_text(json.dumps({**state, "_fingerprint": "0" * 16}))
    outcome = run("verify", out, "--rows", "1", "--device", "cpu", "--json")
    faults = outcome.json["checks"][0]["faults"]
    assert outcome.code == 1
    assert any("extra shard" in fault for fault in faults)
    assert any("another fingerprint" in fault for fault in faults)
    shard.write_bytes(shard.read_bytes()[:-50])
    checks = run("verify", out / "train", "--rows", "1", "--device", "cpu", "--json").json["checks"]
    assert any("truncated" in fault for fault in checks[0]["faults"])


# Duplicates


TWICE = [chat("a", "b"), chat("c", "d"), {**chat("a", "b"), "id": 7}, chat("a", "b"), chat("a ", "b")]


def test_duplicates_are_counted_and_shown(configured, source):
    out = configured(sources=[source(*TWICE)])
    totals = manifest(out)["totals"]
    assert (totals["rows"], totals["rows_used"], totals["duplicates"], totals["rows_dropped"]) == (5, 5, 2, 0)
    assert totals["findings"]["duplicate"]["rows"] == 2
    assert len(facts(out, "--finding", "duplicate")["rows"]) == 2
    assert "the same conversation as rows.jsonl:1" in shown(out, "--row", "2")
    verified(out)


def test_duplicates_are_dropped_and_on_record(configured, source):
    names = [source(*TWICE), source(*TWICE[:2], chat("e", "f"), name="more.jsonl")]
    out = configured(sources=names, duplicates="drop")
    totals = manifest(out)["totals"]
    assert [totals[f"rows_{fate}"] for fate in ("used", "rejected", "dropped")] == [4, 0, 4]
    assert (totals["rows"], totals["duplicates"], totals["dropped"]["duplicate"]["rows"]) == (8, 4, 4)
    assert origins(columns(out)) == [("rows.jsonl", 1), ("rows.jsonl", 2), ("rows.jsonl", 5), ("more.jsonl", 3)]
    dropped = [json.loads(line) for line in (out / "maskprep" / "dropped.jsonl").read_text().splitlines()]
    assert [(entry["file"], entry["line"], entry["message"]) for entry in dropped] == [
        ("rows.jsonl", 3, "the same conversation as rows.jsonl:1"),
        ("rows.jsonl", 4, "the same conversation as rows.jsonl:1"),
        ("more.jsonl", 1, "the same conversation as rows.jsonl:1"),
        ("more.jsonl", 2, "the same conversation as rows.jsonl:2"),
    ]
    assert "the same conversation as rows.jsonl:2" in shown(out, "--origin", "more.jsonl:2")
    verified(out)
    assert "4 dropped (duplicate)" in shown(out, "--stats")


def test_a_dropped_row_is_no_reject(configured, source):
    out = configured(sources=[source(*([chat("a", "b")] * 50))], duplicates="drop", max_rejects=0)
    assert len(columns(out)) == 1
    # Nor does it hide the rejects: one of two that were tried is one half.
    bad = source(*([chat("a", "b")] * 50), b"{", name="bad.jsonl")
    outcome = configured(code=1, sources=[bad], duplicates="drop", max_rejects=0.4)
    assert "1 of 2 rows (50.0%)" in outcome.json["error"]


def test_the_same_as_a_rejected_row_is_dropped_like_the_same_as_any_other(configured, source):
    rows = [chat("a"), chat("a"), chat("b", "c")]
    out = configured(sources=[source(*rows)], duplicates="drop", max_rejects=1)
    assert [(reject["line"], reject["code"]) for reject in rejects(out)] == [(1, "nothing-to-train")]
    assert manifest(out)["totals"]["rows_dropped"] == 1
    assert manifest(out)["totals"]["dropped"]["duplicate"]["example"]["line"] == 2


def test_a_row_that_is_rejected_is_no_ones_first(configured, source):
    rows = [chat("a"), chat("a"), chat("b", "c")]
    out = configured(sources=[source(*rows)], max_rejects=1)
    assert [(reject["line"], reject["code"]) for reject in rejects(out)] == [
        (1, "nothing-to-train"),
        (2, "nothing-to-train"),
    ]
    assert manifest(out)["totals"]["duplicates"] == 0


def test_verify_finds_a_record_of_dropped_rows_that_was_edited(configured, source):
    out = configured(sources=[source(*TWICE)], duplicates="drop")
    (out / "maskprep" / "dropped.jsonl").write_text("")
    outcome = run("verify", out, "--rows", "1", "--device", "cpu", "--json")
    assert outcome.code == 1
    assert any("dropped.jsonl" in fault for fault in outcome.json["checks"][0]["faults"])


def test_a_source_that_is_inspected_is_mixed_as_it_would_be_built(configured, source, place):
    name = source(*rows_of("a", 30))
    out = configured(sources=[{"path": name, "weight": 0.5}])
    used = columns(out)
    (place / "config.yaml").write_text(yaml.safe_dump({"sources": [{"path": name, "weight": 0.5}]}))
    assert "there is no row" in refused("out", "--row", str(len(used)))
