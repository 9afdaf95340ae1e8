"""Each profile, packed and not, divided and not: built or exported it is the same, loads, and verifies."""

from __future__ import annotations

import pytest
from builds import tree
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from inspections import run, verified
from packs import COLUMNS, LENGTH, ROWS, built, facts, table
from thorough import some

from maskprep.dataset.reader import StoredDataSet

CASES = [(profile, packed, divided) for profile, packed in COLUMNS for divided in (False, True)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return a source, and builds of it that are not packed, by whether they are divided."""
    from builds import jsonl

    folder = tmp_path_factory.mktemp("sources")
    (folder / "rows.jsonl").write_bytes(jsonl(*ROWS))
    source = str(folder / "rows.jsonl")
    plain = {divided: built(folder / str(divided), source, f"split={0.3 * divided}") for divided in (False, True)}
    return source, plain


def loaded(folder, profile, splits):
    """Return the data set by split, loaded as the trainer does it."""
    if profile in {"megatron", "together"}:
        names = {split or "train": str(folder / split / "*.parquet") for split in splits}
        return load_dataset("parquet", data_files=names, cache_dir=str(folder.parent / "cache"))
    if profile == "olmo":
        return {split or "train": Dataset(table(folder / split)) for split in splits}
    data = load_from_disk(str(folder))
    if profile == "llamafactory" or len(splits) > 1:
        assert isinstance(data, DatasetDict)
        return data
    assert isinstance(data, Dataset)
    return {"train": data}


@pytest.mark.parametrize(("profile", "packed", "divided"), some(CASES, 2))
@pytest.mark.sweep
def test_a_build_and_an_export_are_the_same_and_load_and_verify(sources, place, profile, packed, divided):
    source, plain = sources
    wanted = [f"profile={profile}", f"split={0.3 * divided}", *([f"packing.length={LENGTH}"] if packed else [])]
    one = built(place / "one", source, *wanted)
    verified(one, "all")
    splits = ("train", "validation") if divided else ("train",) if profile == "llamafactory" else ("",)
    data = loaded(one, profile, splits)
    assert set(data) == {split or "train" for split in splits}
    assert all(rows.column_names == COLUMNS[profile, packed] for rows in data.values())
    if profile != "hf":
        for split in splits:
            beside = load_from_disk(str(one / "spans" / split))
            assert beside.column_names == ["spans", "origin"]
            assert len(beside) == len(data[split or "train"])
    ours, theirs = StoredDataSet(str(one)), StoredDataSet(str(plain[divided]))
    assert len(ours) == len(theirs)
    rows = {(row.where, row.sequence): row.labelled for row in map(theirs.row, range(len(theirs)))}
    for row in map(ours.row, range(len(ours))):
        twin = rows[row.where, row.sequence]
        assert (row.labelled.input_ids.tolist(), row.labelled.labels.tolist()) == (
            twin.input_ids.tolist(),
            twin.labels.tolist(),
        )
        assert row.labelled.spans == twin.spans
    options = ["--set", f"packing.length={LENGTH}"] if packed else []
    outcome = run("export", plain[divided], "--profile", profile, "--output", "two", *options)
    assert outcome.code == 0, outcome
    same, other = tree(one), tree(place / "two")
    manifests = facts(one), facts(place / "two")
    manifests[0]["config"]["output"] = manifests[1]["config"]["output"] = None
    sealed = {"maskprep/manifest.json": ""}
    if (profile, packed) == ("hf", False):  # such a build arranges nothing, and knows offsets in the sources
        sealed |= {f"{split}/state.json" if split else "state.json": "" for split in splits}
        for shard in manifests[0]["shards"] + manifests[1]["shards"]:
            shard["first"]["offset"] = shard["last"]["offset"] = -1
    assert manifests[0] == manifests[1]
    assert {**same, **sealed} == {**other, **sealed}


def test_together_gets_one_file_however_large(sources, place):
    source, _ = sources
    out = built(place / "out", source, "profile=together", "shard_bytes=1")
    assert [path.name for path in out.glob("*.parquet")] == ["data-00000-of-00001.parquet"]
    assert len(table(out)) == facts(out)["totals"]["sequences"]


def test_every_file_of_a_shard_of_arrays_is_verified(sources, place):
    source, _ = sources
    out = built(place / "out", source, "profile=olmo")
    for name in ("data-00000-of-00001.npy", "data-00000-of-00001.mask.npy", "data-00000-of-00001.csv.gz"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        outcome = run("verify", out, "--rows", "1")
        assert outcome.code == 1
        assert f"{name}: altered" in outcome.stdout
        (out / name).unlink()
        outcome = run("verify", out, "--rows", "1")
        assert outcome.code == 1
        assert "missing" in outcome.stdout
        (out / name).write_bytes(whole)
    (out / "data-00001-of-00001.mask.npy").write_bytes(b"")
    outcome = run("verify", out, "--rows", "1")
    assert "data-00001-of-00001.mask.npy: an extra shard" in outcome.stdout


@pytest.mark.parametrize("profile", ["axolotl", "together", "skyrl", "olmo"])
def test_packed_rows_are_refused_before_anything_is_read(sources, place, profile):
    source, _ = sources
    words = ("--set", f"profile={profile}", "--set", "packing.length=64")
    outcome = run("build", source, "--tokenizer", "nowhere", "--output", "out", *words)
    assert outcome.code == 2
    assert "takes a packed row for one document" in outcome.stderr
    assert not (place / "out").exists()


def test_weights_are_refused_by_name_and_nothing_is_committed(source, place, build):
    row = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Ho.", "weight": 0.5}]}
    outcome = build(source(row), "--output", "out", "--set", "profile=trl")
    assert outcome.code == 2
    assert "TRL cannot weigh tokens" in outcome.stderr
    assert not (place / "out" / "state.json").exists()


def test_the_settings_and_the_pitfalls_are_in_a_file_and_shown_again(sources, place):
    source, _ = sources
    from builds import TOKENIZER

    words = ["--set", "profile=trl", "--set", "packing.length=512", "--tokenizer", TOKENIZER]
    said = run("build", source, "--output", "out", *words).stdout
    program = (place / "out" / "maskprep" / "train.py").read_text("utf-8")
    compile(program, "settings", "exec")
    assert run("settings", "out").stdout == program
    assert "padding_free" not in said
    assert "  settings  out/maskprep/train.py\n" in said
    assert f'load_from_disk("{place / "out"}")' in program
    assert "    padding_free=True," in program
    assert "#   - Without padding_free=True the documents of a row see each other.\n" in program
    assert "rows of 512 tokens, " in said
    told = run("build", source, "--output", "out", "--overwrite", "--json", *words).json["trainer"]
    assert (told["profile"], told["language"]) == ("trl", "python")
    assert program.endswith(told["settings"].strip() + "\n")
    assert any("padding_free" in pitfall for pitfall in told["pitfalls"])
    assert run("settings", "out", "--json").json == told


def test_the_settings_follow_a_build_that_was_moved(sources, place):
    source, _ = sources
    built(place / "one", source, "profile=axolotl")
    assert not (place / "one" / "maskprep" / "train.py").exists()
    (place / "one").rename(place / "other")
    assert str(place / "other") in run("settings", "other").stdout
    assert str(place / "one") in (place / "other" / "maskprep" / "train.yaml").read_text("utf-8")
