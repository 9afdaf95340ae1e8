"""``maskprep inspect`` on folders that are damaged, foreign or made up: a clear error, never a traceback."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pytest
from builds import chat
from inspections import columns, facts, inspect, make, refused, sample_build
from thorough import some
from unmarked import ACTS

from maskprep.dataset.schema import SCHEMA

EVIL = "\x1b[2J\u202e[/red]"
EVERY_WAY = (
    (),
    ("--stats",),
    ("--find", "the"),
    ("--origin", "x:1"),
    ("--finding", "not-json"),
    ("--compare", "{}"),
    ("--html", "page.html"),
)
NO_BUILD, NO_TOKENIZER = "2222222", "2022222"  # one exit code for each of these


@pytest.fixture
def build(place):
    """Return a copy of the sample's build, to be damaged."""
    return shutil.copytree(sample_build(), place / "built")


def tampered(build, change):
    """Change the manifest."""
    path = build / "maskprep" / "manifest.json"
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), "utf-8")


def ways(build, codes, *, told=None):
    """Inspect a build in every way, which ends with these exit codes; where there is an error, ``told`` in one."""
    messages = []
    for words, code in some(zip(EVERY_WAY, map(int, codes), strict=True), 1 if told else 3):
        given = [word.format(build) for word in words]
        for more in ((), ("--json",)) if words in EVERY_WAY[:2] else ((),):
            outcome = inspect(build, *given, *more)
            assert outcome.code == code, outcome
            assert not ACTS.search(outcome.stdout.replace("\n", "")), words
            assert not ACTS.search(outcome.stderr.replace("\n", "")), words
            if more:
                assert bool(outcome.code) == ("error" in outcome.json)
            if outcome.code:
                messages.append(outcome.stdout if more else outcome.stderr)
    assert told is None or any(told in message for message in messages), messages
    return messages


@pytest.mark.parametrize("missing", ["state.json", "maskprep/manifest.json", "maskprep", "tokenizer"])
@pytest.mark.sweep
def test_what_lacks_a_part_is_no_build(build, missing):
    path = build / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"it lacks {'the folder ' if missing == 'tokenizer' else ''}" in refused(build)
    ways(build, NO_TOKENIZER if missing == "tokenizer" else NO_BUILD)


def test_the_tokenizer_of_a_build_is_never_sought_on_the_hub(build, monkeypatch):
    """``built/tokenizer`` would be the id of a model there."""
    shutil.rmtree(build / "tokenizer")
    monkeypatch.setattr("maskprep.tokenizer.load.load_tokenizer", pytest.fail)
    assert "it lacks the folder tokenizer" in refused("built")


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.sweep
def test_a_damaged_tokenizer(build, name):
    (build / "tokenizer" / name).write_text(EVIL)
    assert "no tokenizer can be loaded" in refused(build)
    ways(build, NO_TOKENIZER)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 100_000, '{"shards": [{"rows": 57}]}', EVIL])
@pytest.mark.sweep
def test_a_manifest_that_is_none(build, text):
    (build / "maskprep" / "manifest.json").write_text(text)
    assert len(ways(build, NO_BUILD)) >= 2


KEYS = ("config", "now", "totals", "shards")
VALUES = (None, 3, EVIL, [], [EVIL], {}, {EVIL: EVIL}, True)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:12])
@pytest.mark.sweep
def test_a_manifest_with_values_of_another_kind(build, key, value, place):
    (place / "last.yaml").write_text("train: {turns: last}\n")
    tampered(build, lambda manifest: manifest.update({key: value}))
    codes = {"now": (0, 0, 0 if value in (None, 3) else 2), "totals": (0, 1, 0)}.get(key, (2, 2, 2))
    every = zip(((), ("--stats",), ("--compare", "last.yaml")), codes, strict=True)
    for words, code in some(every, 3, VALUES.index(value)):
        outcome = inspect(build, *words)
        assert outcome.code == code, outcome
        assert not ACTS.search((outcome.stdout + outcome.stderr).replace("\n", ""))
    if key == "totals":
        assert "the build is damaged" in refused(build, "--stats", code=1)


@pytest.mark.parametrize("key", ["rows", "sequences", "by_role_and_part", "rejects", "findings", "unfaithful_tokens"])
@pytest.mark.parametrize("value", [None, EVIL, [3], {EVIL: 3}, {EVIL: {"rows": 1, "example": EVIL}}, -1.5])
def test_totals_of_another_kind(build, key, value):
    tampered(build, lambda manifest: manifest["totals"].update({key: value}))
    message = refused(build, "--stats", code=1)
    assert "the manifest counts" in message or "the build is damaged" in message
    assert not ACTS.search(message.replace("\n", ""))


@pytest.mark.parametrize("key", ["sequences", "tokens", "trained_tokens"])
def test_totals_that_the_shards_do_not_bear_out(build, key):
    tampered(build, lambda manifest: manifest["totals"].update({key: 1}))
    assert f"the manifest counts 1 {key}, the shards hold" in refused(build, "--stats", code=1)


def rewrite(build, change):
    """Write the shard anew, its rows changed."""
    (path,) = build.glob("*.arrow")
    rows = columns(build)
    change(rows)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        stream.write_batch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))


def longer_ids(rows):
    rows[0]["input_ids"].append(1)


def other_label(rows):
    rows[0]["labels"][0] = 7


def gap_in_spans(rows):
    rows[0]["spans"][0]["start"] = 1


def overlap_in_spans(rows):
    rows[0]["spans"][1]["start"] -= 1


def backwards_spans(rows):
    rows[0]["spans"][0].update(start=5, end=0)


def endless_span(rows):
    rows[0]["spans"][-1]["end"] = 2**31 - 1


def no_spans(rows):
    rows[0]["spans"] = []


def null_spans(rows):
    rows[0]["spans"] = None


def null_field(rows):
    rows[0]["spans"][0]["end"] = None


def null_ids(rows):
    rows[0]["input_ids"] = None


def null_id(rows):
    rows[0]["input_ids"][0] = None


def null_origin(rows):
    rows[0]["origin"] = None


def null_line(rows):
    rows[0]["origin"]["line"] = None


def no_such_id(rows):
    rows[0]["input_ids"][0] = 2**31 - 1


def negative_id(rows):
    rows[0]["input_ids"][0] = -5


def hostile_names(rows):
    rows[0]["spans"][0].update(role=EVIL, part=EVIL)
    rows[0]["origin"]["file"] = EVIL


CHANGES = (longer_ids, other_label, gap_in_spans, overlap_in_spans, backwards_spans, endless_span, no_spans)
NULLS = (null_spans, null_field, null_ids, null_id, null_origin, null_line)


@pytest.mark.parametrize("change", [*CHANGES, *NULLS], ids=lambda change: change.__name__)
@pytest.mark.sweep
def test_rows_that_do_not_fit_together(build, change):
    rewrite(build, change)
    outcome = inspect(build)
    assert outcome.code == 1
    assert "do not fit together" in outcome.stderr or "the build is damaged" in outcome.stderr
    # One more label is one more trained token than the manifest counts: the statistics see that, too.
    ways(build, "1112011" if change is other_label else "1012011")


@pytest.mark.parametrize("change", [no_such_id, negative_id, hostile_names], ids=lambda change: change.__name__)
@pytest.mark.sweep
def test_rows_that_are_only_odd(build, change):
    rewrite(build, change)
    assert facts(build)["rows"]
    ways(build, "0002000")


@pytest.mark.parametrize("name", ["rejects.jsonl", "findings.jsonl"])
@pytest.mark.parametrize(
    "text",
    [
        None,
        "{\n",
        "[]\n",
        "3\n",
        "{}\n",
        "[" * 100_000 + "\n",
        "\xff\n",
        json.dumps({"file": EVIL, "line": EVIL, "byte": 0, "code": EVIL, "message": EVIL}) + "\n",
        json.dumps({"file": 3, "line": 1, "byte": 0, "code": ["x"], "message": None}) + "\n",
        json.dumps({"file": "f", "line": 1, "byte": 0, "code": "not-json", "message": "m", "details": 3}) + "\n",
    ],
    ids=lambda text: "missing" if text is None else text[:12],
)
@pytest.mark.sweep
def test_damaged_notes(build, name, text):
    path = build / "maskprep" / name
    path.unlink()
    if text is not None:
        path.write_text(text, "latin-1")
    sound = name == "findings.jsonl" and text is not None and text.startswith('{"file": "f"')
    ways(build, "0002000" if sound else {"rejects.jsonl": "0001101", "findings.jsonl": "1012101"}[name])
    outcome = inspect(build, "--finding", "not-json")
    assert outcome.code == (0 if sound else 1)
    if text is None:
        assert outcome.code == 1
        assert "the build is damaged" in outcome.stderr
        assert name in outcome.stderr


@pytest.mark.parametrize(
    "details", [{"prompt": 3, "rendered": 3}, {"prompt": {}, "rendered": {}}, {"prompt": {"before": 1}}]
)
@pytest.mark.sweep
def test_made_up_details_of_a_mismatch(build, details):
    line = {"file": "f", "line": 1, "byte": 0, "code": "prompt-mismatch", "message": "m", "details": details}
    (build / "maskprep" / "rejects.jsonl").write_text(json.dumps(line) + "\n")
    sound = details == {"prompt": {"before": 1}}
    assert inspect(build, "--finding", "prompt-mismatch").code == (0 if sound else 1)
    ways(build, "0002200" if sound else "0001101")


def test_hostile_notes_do_nothing(build):
    note = {"file": EVIL, "line": 1, "byte": 0, "code": EVIL, "message": EVIL, "hint": EVIL}
    (build / "maskprep" / "rejects.jsonl").write_text(json.dumps(note) + "\n")
    outcome = inspect(build, "--finding", EVIL)
    assert outcome.code == 0
    assert not ACTS.search(outcome.stdout.replace("\n", ""))
    assert "\\x1b[2J" in outcome.stdout


@pytest.mark.sweep
def test_shards(build):
    (path,) = build.glob("*.arrow")
    whole = path.read_bytes()
    for data in (b"", b"text", whole[: len(whole) // 2], whole[:-8] + b"\xff" * 8):
        path.write_bytes(data)
        ways(build, "1111111")
    path.unlink()
    ways(build, "1111111", told="cannot be read")
    path.symlink_to(build / "maskprep")
    ways(build, "1111111", told="cannot be read")


def test_a_folder_of_another_program(place, source):
    (place / "foreign").mkdir()
    (place / "foreign" / "state.json").write_text("{}")
    from inspections import WITH_TOKENIZER

    assert "foreign: it cannot be read as a data set of save_to_disk" in refused("foreign", *WITH_TOKENIZER)
    (place / "half" / "maskprep").mkdir(parents=True)
    assert "it lacks state.json and maskprep/manifest.json" in refused("half")


def test_the_rejects_of_a_failed_build_are_no_build(place, source):
    from inspections import WITH_TOKENIZER, run

    assert run("build", source({}, chat("q", "a")), "--output", "failed", *WITH_TOKENIZER).code == 1
    assert "is no finished build" in refused("failed")


def test_a_link_to_a_build(place, source):
    built = make(place / "built", source(chat("q", "a")))
    (place / "link").symlink_to(built, target_is_directory=True)
    assert facts("link")["rows"] == facts("built")["rows"]
