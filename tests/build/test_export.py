"""``maskprep export``: what a build with the other settings would have written, from any build, or a clear refusal."""

from __future__ import annotations

import json
import shutil

import pytest
from builds import chat, jsonl, tree
from inspections import run, verified
from packs import LENGTH, ROWS, built, facts, settings, table

from maskprep.dataset.reader import StoredDataSet


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Return settings of a build of two sources, whose rows come several times."""
    folder = tmp_path_factory.mktemp("mixture")
    (folder / "b.jsonl").write_bytes(jsonl(*ROWS[:9]))
    (folder / "a.jsonl").write_bytes(jsonl(*ROWS[9:]))
    first = f"{{path: {folder / 'b.jsonl'}, weight: 2.5}}"
    return f"sources=[{first}, {folder / 'a.jsonl'}]", "history=split", "max_expansion=9", "split=0.2"


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    """Return a build whose tokens have weights."""
    folder = tmp_path_factory.mktemp("weighted")
    rows = [chat("Say it.", f"Number {number}.") for number in range(9)]
    rows[4]["messages"][1]["weight"] = 0.25
    (folder / "rows.jsonl").write_bytes(jsonl(*rows))
    return built(folder / "out", str(folder / "rows.jsonl"))


def build_of(output, mixture, *more):
    from builds import TOKENIZER

    outcome = run("build", "--tokenizer", TOKENIZER, "--output", output, *settings(*mixture, *more))
    assert outcome.code == 0, outcome
    return output


def exported(source, output, *given):
    outcome = run("export", source, "--output", output, *given)
    assert outcome.code == 0, outcome
    return output


def shards(folder):
    return {name: digest for name, digest in tree(folder).items() if name.endswith((".arrow", ".parquet"))}


@pytest.mark.parametrize(
    "before",
    [(), ("packing.length=512", "shuffle=true"), ("packing.length=300", "profile=megatron")],
    ids=["plain", "packed and shuffled", "packed for Megatron"],
)
def test_whatever_it_is_made_from_it_is_what_a_build_would_have_written(place, mixture, before):
    source = build_of(place / "source", mixture, *before)
    plain = ("profile=hf", "shuffle=false")
    for number, (wanted, packing) in enumerate(
        [
            (plain, None),
            (("profile=trl", "shuffle=false"), f"{{length: {LENGTH}}}"),
            (("profile=hf", "shuffle=true"), "{length: 300, strategy: in_order}"),
        ]
    ):
        one = build_of(place / f"one{number}", mixture, *wanted, *([f"packing={packing}"] if packing else []))
        words = [word for setting in (wanted[1], f"packing={packing or 'null'}") for word in ("--set", setting)]
        profile = wanted[0].removeprefix("profile=")
        two = exported(source, place / f"two{number}", "--profile", profile, *words)
        assert shards(one) == shards(two)
        verified(two, "all")
        assert ("packing" in facts(two)["totals"]) == (packing is not None)


def test_packing_and_profile_stay_unless_they_are_set(place, mixture):
    source = build_of(place / "source", mixture, "packing.length=512", "profile=trl")
    assert shards(exported(source, place / "same")) == shards(source)
    hf = facts(exported(source, place / "hf", "--profile", "hf"))
    assert (hf["config"]["profile"], hf["config"]["packing"]["length"]) == ("hf", 512)
    assert hf["fingerprint"] != facts(source)["fingerprint"]
    longer = facts(exported(source, place / "longer", "--set", "packing.length=700"))
    assert longer["config"]["packing"] == {"length": 700, "strategy": "best_fit", "window": None}
    # Rows had to fit into 512 when they were made, and must come out the same when they are made again.
    assert longer["config"]["max_length"] == 512
    verified(place / "longer")


def test_it_can_be_looked_at_and_keeps_what_was_noted(place):
    (place / "rows.jsonl").write_bytes(jsonl(*ROWS[:4], b"no json", ROWS[0]))
    source = built(place / "out", "rows.jsonl", "duplicates=drop")
    outcome = run("export", source, "--profile", "together", "--output", "new")
    assert "5,0" not in outcome.stdout
    assert "what Together must be told" in outcome.stdout
    assert run("settings", "new").stdout == (place / "new" / "maskprep" / "train.sh").read_text("utf-8")
    for name in ("rejects.jsonl", "dropped.jsonl", "findings.jsonl"):
        assert (place / "new" / "maskprep" / name).read_bytes() == (source / "maskprep" / name).read_bytes()
    assert run("inspect", "new", "--row", "1").stdout == run("inspect", "out", "--row", "1").stdout
    assert tree(place / "new" / "tokenizer") == tree(source / "tokenizer")
    again = run("export", source, "--profile", "together", "--output", "new")
    assert (again.code, "already holds a data set" in again.stderr) == (2, True)
    report = run("export", source, "--profile", "trl", "--output", "new", "--overwrite", "--json").json
    assert report["trainer"]["profile"] == report["config"]["profile"] == "trl"
    assert not list((place / "new").glob("*.parquet"))
    verified(place / "new")


def test_weights_go_with_it_where_they_can(place, weighted):
    packed = exported(weighted, place / "packed", "--set", "packing.length=100")
    assert table(packed).column_names[-1] == "loss_weights"
    verified(packed)
    back = StoredDataSet(str(exported(packed, place / "back", "--set", "packing=null")))
    assert 0.25 in back.row(4).labelled.weights
    assert run("export", weighted, "--output", "again").code == 0
    assert "WeightedTrainer" in (place / "again" / "maskprep" / "train.py").read_text("utf-8")
    outcome = run("export", weighted, "--output", "no", "--profile", "trl")
    assert (outcome.code, "TRL cannot weigh tokens" in outcome.stderr) == (2, True)
    assert not (place / "no" / "state.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "output is missing"),
        (["--output", "new", "--profile", "tlr"], "profile: "),
        (["--output", "new", "--set", "max_length=99"], "export cannot change max_length"),
        (["--output", "new", "--set", "packing.length=20"], "tokens, more than packing.length 20"),
        (["--output", "new", "--set", "packing.lenght=20"], "did you mean 'length'?"),
        (["--output", "new", "--profile", "axolotl", "--set", "packing.length=999"], "Axolotl packs by itself"),
        (["--output", "out"], "lie within each other"),
        (["--output", "out/new"], "lie within each other"),
        (["--output", "rows.jsonl"], "is a file"),
        (["--output", "foreign", "--overwrite"], "holds what maskprep did not write: notes.txt"),
    ],
)
def test_what_it_refuses_it_refuses_before_it_writes(place, words, said):
    (place / "rows.jsonl").write_bytes(jsonl(*ROWS[:3]))
    (place / "foreign").mkdir()
    (place / "foreign" / "notes.txt").write_text("precious")
    built(place / "out", "rows.jsonl")
    before = tree(place)
    outcome = run("export", "out", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert said in outcome.stderr
    assert tree(place) == before


def test_what_is_no_whole_build_is_refused(place, mixture):
    source = build_of(place / "out", mixture)
    for path, said in (("nowhere", "no finished build"), (source / "train", "one split of a data set")):
        outcome = run("export", path, "--output", "new")
        assert (outcome.code, said in outcome.stderr) == (2, True), outcome
    (source / "dataset_dict.json").unlink()
    assert run("export", source, "--output", "new").code == 2
    assert not (place / "new").exists()


@pytest.mark.parametrize("damage", ["shard", "manifest", "tokenizer", "rejects"])
def test_damage_is_not_passed_on(place, damage):
    (place / "rows.jsonl").write_bytes(jsonl(*ROWS[:3], b"no json"))
    source = built(place / "out", "rows.jsonl")
    manifest = source / "maskprep" / "manifest.json"
    match damage:
        case "shard":
            [path] = source.glob("*.arrow")
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(bytes(data))
        case "manifest":
            manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "stop_tokens": ["x"]}))
        case "tokenizer":
            shutil.rmtree(source / "tokenizer")
        case "rejects":
            (source / "maskprep" / "rejects.jsonl").write_text("")
    outcome = run("export", source, "--output", "new", "--profile", "trl")
    assert outcome.code == (2 if damage == "tokenizer" else 1)
    assert "damaged" in outcome.stderr or "tokenizer" in outcome.stderr
    assert not (place / "new").exists()
