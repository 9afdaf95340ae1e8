"""Builds with several documents a row: none is cut, none leaks, and faults planted in them are named."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builds import chat, jsonl, tree
from inspections import facts as shown_facts
from inspections import run, shown, verified
from packs import LENGTH, ROWS, built, documents, facts, table

from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.sealed import SEAL, seal_of
from maskprep.errors import UsageError
from maskprep.progress import Progress
from maskprep.verify.command import check_all
from maskprep.verify.options import VerifyOptions
from maskprep.verify.with_model import ModelChecks


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "rows.jsonl"
    path.write_bytes(jsonl(*ROWS))
    return str(path)


@pytest.fixture(scope="module")
def packed(source, tmp_path_factory):
    """Return a packed build. It is shared: look, and change nothing."""
    return built(tmp_path_factory.mktemp("packed") / "out", source, f"packing.length={LENGTH}", "seed=3")


def test_every_document_is_there_whole_and_begins_anew(packed, source, place):
    rows = table(packed).to_pylist()
    for row in rows:
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) == len(row["labels"]) <= LENGTH
        assert row["position_ids"] == [place for length in row["seq_lengths"] for place in range(length)]
        assert all(row["labels"][place] == -100 for place, number in enumerate(row["position_ids"]) if not number)
        assert [span["document"] for span in row["spans"]] == sorted(span["document"] for span in row["spans"])
        assert {span["document"] for span in row["spans"]} == set(range(len(row["seq_lengths"])))
        assert [span["start"] for span in row["spans"]] == [0, *(span["end"] for span in row["spans"])][:-1]
    plain = built(place / "plain", source)
    assert documents(packed) == documents(plain)
    totals = facts(packed)["totals"]
    tokens = sum(len(row["input_ids"]) for row in rows)
    assert totals["packing"] == {"rows": len(rows), "slots": len(rows) * LENGTH, "fill": tokens / len(rows) / LENGTH}
    assert totals["sequences"] == facts(plain)["totals"]["sequences"] == len(ROWS)
    assert len(rows) < len(ROWS)


def test_the_seed_decides_the_bytes(source, packed, place):
    again = built(place / "again", source, f"packing.length={LENGTH}", "seed=3")
    data = {name: digest for name, digest in tree(packed).items() if "manifest" not in name}
    assert {name: digest for name, digest in tree(again).items() if "manifest" not in name} == data
    other = built(place / "other", source, f"packing.length={LENGTH}", "seed=4")
    assert tree(other)["data-00000-of-00001.arrow"] != data["data-00000-of-00001.arrow"]
    assert documents(other) == documents(packed)


def test_in_order_keeps_the_order(source, place):
    out = built(place / "out", source, "packing={length: 300, strategy: in_order}")
    lines = [origin["line"] for row in table(out).to_pylist() for origin in row["origin"]]
    assert lines == sorted(lines) == list(range(1, len(ROWS) + 1))


def test_a_document_longer_than_a_pack_goes_through_overflow(place):
    long = chat(*(["Say " + "more " * 30, "Sure " + "more " * 30] * 6))
    (place / "rows.jsonl").write_bytes(jsonl(*ROWS[:3], long))
    rejected = built(place / "rejected", "rows.jsonl", "packing.length=200")
    told = facts(rejected)["totals"]
    assert (told["rows_rejected"], list(told["rejects"])) == (1, ["too-long"])
    lost = told["too_long"]
    assert (lost["rows"], lost["tokens"], lost["trained_tokens"]) == (1, 0, 0)
    assert lost["tokens_before"] > lost["trained_tokens_before"] > 200
    out = built(place / "out", "rows.jsonl", "packing.length=200", "overflow=split", "max_expansion=9")
    told = facts(out)["totals"]
    assert (told["rows_rejected"], told["too_long"]["rows"]) == (0, 1)
    assert told["too_long"]["trained_tokens"] == told["too_long"]["trained_tokens_before"]
    assert told["longest_sequence"] <= 200
    verified(out, "all")
    said = run("export", out, "--output", "again").stdout
    assert "1 row too long: their " in said
    assert "trained ones became " in said


def test_an_inspection_tells_which_pack_a_row_is_in(packed):
    rows = table(packed).to_pylist()
    numbers = [(row, document) for row, each in enumerate(rows) for document in range(len(each["seq_lengths"]))]
    for number in (0, 5, len(numbers) - 1):
        row, document = numbers[number]
        [view] = shown_facts(packed, "--row", number)["rows"]
        assert view["packed"] == {"row": row, "document": document}
        assert view["origin"]["line"] == rows[row]["origin"][document]["line"]
        assert f"row {number} of {len(ROWS)}  document {document} of packed row {row}  " in shown(
            packed, "--row", number
        )
    fill = facts(packed)["totals"]["packing"]["fill"]
    assert f"packed into {len(rows)} rows of {LENGTH} tokens, {fill:.3%} filled" in shown(packed, "--stats")
    assert shown_facts(packed, "--stats")["packing"]["rows"] == len(rows)


def test_an_inspection_of_other_rows_tells_of_no_pack(source, place):
    out = built(place / "out", source)
    assert "packed" not in shown_facts(out)["rows"][0]
    assert "packed" not in shown(out, "--stats")


def test_an_inspection_counts_packs_over_all_shards(source, place):
    out = built(place / "out", source, f"packing.length={LENGTH}", "shard_bytes=1", "split=0.4", "profile=trl")
    for folder in (out, out / "train", out / "validation"):
        data = StoredDataSet(str(folder))
        places = [data.place(number) for number in range(len(data))]
        counts = [shard.pack_sizes() for shard in data.shards]
        sizes = [size for each in counts for size in each]
        assert places == [(row, document) for row, size in enumerate(sizes) for document in range(size)]


@pytest.mark.parametrize("profile", ["hf", "trl", "llamafactory", "megatron"])
def test_the_loader_refuses_what_is_packed_and_tells_the_way_out(packed, place, profile):
    from maskprep.collate import PackedLoader

    assert run("export", packed, "--profile", profile, "--output", "out").code == 0
    folder = place / "out" / "train" if profile == "llamafactory" else place / "out"
    said = "holds Parquet files, made for one trainer" if profile == "megatron" else "is packed already"
    with pytest.raises(UsageError, match=said) as refused:
        PackedLoader(folder, length=LENGTH)
    assert "maskprep export OUT --profile hf --set packing=null --output DIR" in refused.value.hint


@pytest.mark.parametrize("profile", ["hf", "trl", "axolotl", "llamafactory"])
def test_the_loader_reads_what_is_not_packed_whomever_it_was_made_for(packed, place, profile):
    from maskprep.collate import PackedLoader

    assert run("export", packed, "--profile", profile, "--output", "out", "--set", "packing=null").code == 0
    folder = place / "out" / "train" if profile == "llamafactory" else place / "out"
    loader = PackedLoader(folder, length=LENGTH, workers=0)
    assert sum(batch["input_ids"].numel() for batch in loader) == facts(packed)["totals"]["tokens"]


# Planted faults


def results(folder, count=3):
    options = VerifyOptions(str(folder), device="cpu", rows="2")
    checks = islice(check_all(StoredDataSet(str(folder)), ModelChecks(options, Progress())), count)
    return {result.name: result for result in checks}


def planted(clean, target, edit):
    """Copy a build, change its rows and make checksums and seal agree with them: only the rows themselves tell."""
    shutil.copytree(clean, target)
    [path] = target.glob("data-*")
    schema, rows = table(target).schema, table(target).to_pylist()
    edit(rows)
    changed = pa.Table.from_pylist(rows, schema=schema)
    if path.suffix == ".parquet":
        pq.write_table(changed, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
            stream.write_table(changed)
    told = facts(target)
    data = path.read_bytes()
    told["shards"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    seal(target, told)
    return target


def seal(folder, told):
    (folder / "maskprep" / "manifest.json").write_text(json.dumps(told))
    for state in folder.rglob("state.json"):
        state.write_text(json.dumps({**json.loads(state.read_text()), SEAL: seal_of(told)}))


def across(rows):
    """Train the first token of a second document."""
    start = rows[0]["seq_lengths"][0]
    rows[0]["labels"][start] = rows[0]["input_ids"][start]
    next(span for span in rows[0]["spans"] if span["start"] == start)["trained"] = True


def running_on(rows):
    for row in rows:
        row["position_ids"] = list(range(len(row["input_ids"])))


def one_number_off(rows):
    rows[-1]["position_ids"][-1] += 1


def lengths_moved(rows):
    rows[0]["seq_lengths"][0] += 1
    rows[0]["seq_lengths"][1] -= 1


def lengths_short(rows):
    rows[0]["seq_lengths"][0] -= 1


def two_in_one(rows):
    rows[0]["seq_lengths"][:2] = [sum(rows[0]["seq_lengths"][:2])]


@pytest.mark.parametrize(
    ("edit", "check", "said"),
    [
        (across, "structure", "the first token is trained, though nothing precedes it"),
        (running_on, "structure", "position_ids do not count from 0"),
        (one_number_off, "structure", "position_ids do not count from 0"),
        (lengths_moved, "structure", "the spans do not tile the row"),
        (lengths_short, "files", "packed rows that do not hang together"),
        (two_in_one, "files", "packed rows that do not hang together"),
    ],
)
def test_a_planted_fault_is_named(packed, place, edit, check, said):
    found = results(planted(packed, place / "bad", edit))[check]
    assert found.verdict == "failed"
    assert any(said in fault for fault in found.faults), found.faults


@pytest.mark.parametrize(
    ("edit", "said"), [(running_on, "position_ids do not start again at 0"), (across, "its first token is trained")]
)
def test_the_check_with_a_model_names_it_too(packed, place, edit, said):
    def everywhere(rows):
        for row in rows:
            edit([row])

    found = results(planted(packed, place / "bad", everywhere), 7)
    assert found["packing"].verdict == "failed"
    assert any(said in fault for fault in found["packing"].faults), found["packing"].faults


def test_with_nothing_planted_all_checks_pass(packed, place):
    found = results(planted(packed, place / "good", lambda rows: None), 7)
    assert {name for name, result in found.items() if result.verdict == "passed"} == set(found)
    assert {"files", "structure", "source", "loss", "gradient", "padding", "packing"} == set(found)


def mask_of_ones(rows):
    for row in rows:
        row["attention_mask"] = [int(number > 0) for number in row["attention_mask"]]


def mask_shifted(rows):
    rows[0]["loss_mask"] = [0, *rows[0]["loss_mask"][:-1]]


def start_lost(rows):
    rows[0]["seq_start_id"].pop()


@pytest.mark.parametrize(
    ("profile", "edit"),
    [
        ("llamafactory", mask_of_ones),
        ("llamafactory", running_on),
        ("megatron", mask_shifted),
        ("megatron", start_lost),
        ("trl", lengths_short),
    ],
)
def test_what_a_trainer_reads_is_held_against_its_companion(packed, place, profile, edit):
    assert run("export", packed, "--profile", profile, "--output", "clean").code == 0
    clean = place / "clean"
    folder = clean / "train" if profile == "llamafactory" else clean
    if profile == "llamafactory":  # its shard lies in a folder of its own
        [path] = folder.glob("*.arrow")
        schema, rows = table(folder).schema, table(folder).to_pylist()
        edit(rows)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
            stream.write_table(pa.Table.from_pylist(rows, schema=schema))
        told = facts(clean)
        told["shards"][0] |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        seal(clean, told)
        bad = clean
    else:
        bad = planted(clean, place / "bad", edit)
    failed = {name for name, result in results(bad).items() if result.verdict == "failed"}
    assert failed, "nothing was noticed"


@pytest.mark.parametrize("fault", ["altered", "missing", "another"])
def test_a_companion_that_is_not_the_one_written_is_named(packed, place, fault):
    assert run("export", packed, "--profile", "trl", "--output", "out").code == 0
    [path] = (place / "out" / "spans").glob("*.arrow")
    match fault:
        case "altered":
            data = bytearray(path.read_bytes())
            data[-100] ^= 1
            path.write_bytes(bytes(data))
        case "missing":
            path.unlink()
        case "another":
            assert run("export", packed, "--profile", "trl", "--output", "two", "--set", "packing=null").code == 0
            shutil.copy(next((place / "two" / "spans").glob("*.arrow")), path)
    found = results(place / "out")["files"]
    assert found.verdict == "failed"
    assert any("spans/data-00000-of-00001.arrow" in text for text in found.faults), found.faults


@pytest.mark.parametrize("change", [{"rows": 1}, {"slots": 1}, {"fill": 0.5}])
def test_packing_figures_that_the_shards_do_not_have_are_named(packed, place, change):
    shutil.copytree(packed, place / "out")
    told = facts(place / "out")
    told["totals"]["packing"] |= change
    (place / "out" / "maskprep" / "manifest.json").write_text(json.dumps(told))
    edited = results(place / "out")["files"]
    assert any("manifest.json is not the one that was written" in text for text in edited.faults)
    seal(place / "out", told)
    found = results(place / "out")["files"]
    assert found.verdict == "failed"
    assert any("the manifest tells of packing" in text for text in found.faults), found.faults
