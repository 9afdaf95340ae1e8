"""Every planted fault is named by the right check; where it is one of meaning, the files are made to agree first."""

from __future__ import annotations

import hashlib
import json
import shutil

import pyarrow as pa
import pytest
from bundled import TOKENIZER
from planting import (
    build,
    conversations,
    failed,
    files_of,
    manifest,
    mend,
    plant,
    rows_of,
    shard,
    span_of,
    train,
    verified,
    write_manifest,
    write_rows,
)

from maskprep.dataset.schema import SCHEMA


def test_a_clean_build_passes_every_check(clean):
    found = verified(clean, learn=2, rows="all")
    assert {name for name, result in found.items() if result.verdict == "skipped"} == {"packing", "tree", "model"}
    assert all(result.verdict != "failed" for result in found.values()), found
    assert list(found) == [
        "files",
        "structure",
        "source",
        "loss",
        "gradient",
        "padding",
        "packing",
        "tree",
        "learning",
        "model",
    ]
    assert found["source"].figures["rows"] == 6
    assert found["source"].figures["turns_proved"] == 12


# Faults of meaning: checksums, counts and the manifest agree with the fault


def shift_labels(rows):
    for row in rows:
        row["labels"] = [*row["labels"][1:], -100]


def train_header(rows):
    train(rows[0], [span for span in rows[0]["spans"] if span["role"] == "template"][-2])


def train_hidden_header(rows):
    """Train the header as if it were scaffold of the turn."""
    row = rows[1]
    at = next(index for index, span in enumerate(row["spans"]) if span["trained"])
    train(row, row["spans"][at - 1])
    row["spans"][at - 1] |= {"role": "assistant", "part": "scaffold", "message": row["spans"][at]["message"]}


def mask_stop(rows):
    span = span_of(rows[1], "assistant", "stop")
    span["trained"] = False
    rows[1]["labels"][span["start"]] = -100


def mask_hidden_stop(rows):
    """Mask the stop token as if it were the template's."""
    span = span_of(rows[1], "assistant", "stop")
    span |= {"trained": False, "role": "template", "part": "scaffold", "message": -1}
    rows[1]["labels"][span["start"]] = -100


def train_tool_result(rows):
    train(rows[0], span_of(rows[0], "tool", "content"))


def train_user(rows):
    train(rows[2], span_of(rows[2], "user", "content"))


def _pad(row, pad, role, part):
    end = len(row["input_ids"])
    row["input_ids"] += [pad] * 3
    row["labels"] += [pad] * 3
    message = row["spans"][-2]["message"]
    row["spans"].append({"role": role, "part": part, "message": message, "start": end, "end": end + 3, "trained": True})


def train_pad(rows):
    _pad(rows[3], 0, "assistant", "stop")


def change_id(rows):
    span = span_of(rows[4], "assistant", "content")
    place = span["start"] + 1
    rows[4]["input_ids"][place] = rows[4]["labels"][place] = rows[4]["input_ids"][place] + 1


def change_prompt_id(rows):
    place = span_of(rows[4], "user", "content")["start"]
    rows[4]["input_ids"][place] += 1


def swap_contents(rows):
    rows[2]["origin"], rows[3]["origin"] = rows[3]["origin"], rows[2]["origin"]
    rows[2], rows[3] = rows[3], rows[2]


def swap_rows(rows):
    rows[2], rows[3] = rows[3], rows[2]


def shift_spans(rows):
    for before, after in zip(rows[0]["spans"], rows[0]["spans"][1:], strict=False):
        before["end"] += 1
        after["start"] += 1


def shift_untrained_border(rows):
    first, second = rows[0]["spans"][:2]
    assert not first["trained"]
    assert not second["trained"]
    first["end"] += 1
    second["start"] += 1


def open_gap(rows):
    rows[0]["spans"][1]["start"] += 1


def train_nothing(rows):
    rows[1]["labels"] = [-100] * len(rows[1]["labels"])
    for span in rows[1]["spans"]:
        span["trained"] = False


def train_first(rows):
    rows[1]["labels"][0] = rows[1]["input_ids"][0]


def leave_vocabulary(rows):
    rows[1]["input_ids"][1] = 2_500


def shorten_labels(rows):
    rows[1]["labels"].pop()


def repeat_row(rows):
    rows.insert(1, rows[0])


def relabel_by_value(rows):
    """Train the labels but not the spans: what is meant is not what is trained."""
    rows[1]["labels"][1:] = rows[1]["input_ids"][1:]


MEANT = {
    shift_labels: {"structure", "source", "loss"},
    train_header: {"structure", "source"},
    train_hidden_header: {"source"},
    mask_stop: {"source"},
    mask_hidden_stop: {"source"},
    train_tool_result: {"structure", "source"},
    train_user: {"structure", "source"},
    train_pad: {"structure", "source"},
    change_id: {"source"},
    change_prompt_id: {"source"},
    swap_contents: {"source"},
    swap_rows: {"structure"},
    shift_spans: {"structure", "source", "loss", "gradient"},
    shift_untrained_border: {"source"},
    open_gap: {"structure"},
    train_nothing: {"structure", "source"},
    train_first: {"structure"},
    leave_vocabulary: {"structure", "source", "loss"},
    shorten_labels: {"structure", "source", "loss"},
    repeat_row: {"structure"},
    relabel_by_value: {"structure", "source", "loss", "gradient"},
}


@pytest.mark.parametrize("edit", MEANT, ids=lambda edit: edit.__name__)
def test_a_fault_of_meaning_is_named_by_the_right_check(edit, clean, tmp_path):
    found = verified(plant(clean, tmp_path / "out", edit), rows="all")
    names = {name for name, result in found.items() if result.verdict == "failed"}
    assert MEANT[edit] <= names
    assert all(found[name].faults and found[name].advice for name in names)
    # Of the files, only sums over spans that do not tile can disagree.
    assert edit in {open_gap, train_first, shift_labels, relabel_by_value, shorten_labels} or "files" not in names


def test_pads_are_told_from_stop_tokens_by_position_where_both_are_one_token(clean, tmp_path):
    stop = rows_of(clean)[3]["input_ids"][span_of(rows_of(clean)[3], "assistant", "stop")["start"]]

    def eos_as_pad(target):
        path = target / "tokenizer" / "tokenizer_config.json"
        config = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**config, "pad_token": config["eos_token"]}), "utf-8")
        return target

    padded = eos_as_pad(plant(clean, tmp_path / "padded", lambda rows: _pad(rows[3], stop, "assistant", "stop")))
    assert verified(padded)["structure"].faults[0].startswith("pad tokens at the end of the row are trained: row 3")
    # The line break behind the last stop token taken away: the row ends with its stop token, which is no pad.
    whole = eos_as_pad(plant(clean, tmp_path / "whole", _end_with_stop))
    assert verified(whole)["structure"].verdict == "passed"


def _end_with_stop(rows):
    for row in rows:
        end = [span for span in row["spans"] if span["part"] == "stop"][-1]["end"]
        row["input_ids"], row["labels"] = row["input_ids"][:end], row["labels"][:end]
        row["spans"] = [span for span in row["spans"] if span["end"] <= end]


def test_the_sentences_say_what_is_wrong(clean, tmp_path):
    found = verified(plant(clean, tmp_path / "a", shift_labels))
    assert "shifted by one" in found["structure"].faults[0]
    found = verified(plant(clean, tmp_path / "b", mask_stop))
    assert "1 are not that must (token" in found["source"].faults[0]
    assert "by transformers alone" in found["source"].faults[0]
    found = verified(plant(clean, tmp_path / "c", train_user))
    assert "tokens of the role user are trained" in found["structure"].faults[0]


# Faults of the files


def test_a_flipped_byte(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    data = bytearray(shard(target).read_bytes())
    data[len(data) // 2] ^= 1
    shard(target).write_bytes(data)
    found = files_of(target)
    assert found.verdict == "failed"
    assert any("flipped" in fault and shard(target).name in fault for fault in found.faults)


def test_a_missing_shard(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    name = shard(target).name
    shard(target).unlink()
    found = verified(target)
    assert f"{name}: the shard is missing" in found["files"].faults
    assert {result.verdict for name, result in found.items() if name != "files"} == {"skipped"}


def test_an_extra_shard(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    shutil.copy(shard(target), target / "data-00001-of-00002.arrow")
    assert any("data-00001-of-00002.arrow: an extra shard" in fault for fault in files_of(target).faults)


def test_what_trl_leaves_beside_a_data_set_is_no_shard(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    shutil.copy(shard(target), target / "cache-0123456789abcdef.arrow")
    assert files_of(target).verdict == "passed"


@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_truncated_shard(clean, tmp_path, left):
    target = shutil.copytree(clean, tmp_path / "out")
    data = shard(target).read_bytes()
    shard(target).write_bytes(data[: int(len(data) * left)])
    assert any("truncated" in fault for fault in files_of(target).faults)


def test_a_foreign_shard(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    other = build(tmp_path / "other", list(conversations())[2:])
    shard(target).write_bytes(shard(other).read_bytes())
    assert any("foreign" in fault for fault in files_of(target).faults)


def test_a_shard_of_another_build_that_the_manifest_was_made_to_agree_with(clean, tmp_path):
    other = build(tmp_path / "other", [{**row, "messages": row["messages"][:2]} for row in list(conversations())[1:]])
    target = shutil.copytree(clean, tmp_path / "out")
    rows = rows_of(other)
    for row in rows:
        row["origin"]["file"] = rows_of(clean)[0]["origin"]["file"]
    write_rows(target, rows)
    mend(target)
    assert failed(target) == {"source"}


def test_another_schema(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    schema = SCHEMA.append(pa.field("position_ids", pa.list_(pa.int32())))
    write_rows(target, [{**row, "position_ids": [0]} for row in rows_of(clean)], schema)
    assert any("another schema: it has besides position_ids" in fault for fault in files_of(target).faults)


def _other_tokenizer(target):
    """Swap two ids, of letters: the same size, another tokenizer."""
    path = target / "tokenizer" / "tokenizer.json"
    facts = json.loads(path.read_text("utf-8"))
    vocabulary = facts["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
    path.write_text(json.dumps(facts), "utf-8")


def test_another_tokenizer_of_the_same_size(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    _other_tokenizer(target)
    found = files_of(target)
    assert any("tokenizer beside the shards is not the one" in fault for fault in found.faults)


def test_another_tokenizer_that_the_manifest_was_made_to_agree_with(clean, tmp_path):
    rows = [{"messages": [{"role": "user", "content": "a e a"}, {"role": "assistant", "content": "e a e"}]}]
    target = build(tmp_path, rows)
    _other_tokenizer(target)
    from maskprep.tokenizer.load import load_tokenizer

    facts = manifest(target)
    facts["fingerprint_of"]["tokenizer"] = load_tokenizer(str(target / "tokenizer")).digest()
    facts["fingerprint"] = hashlib.sha256(json.dumps(facts["fingerprint_of"], sort_keys=True).encode()).hexdigest()
    write_manifest(target, facts)
    state = json.loads((target / "state.json").read_bytes())
    (target / "state.json").write_text(json.dumps({**state, "_fingerprint": facts["fingerprint"][:16]}), "utf-8")
    assert failed(target) == {"source"}


def test_no_byte_that_is_flipped_ends_the_program(clean, tmp_path):
    """Lengths, offsets and text are among those bytes: rows are not read from a shard that cannot be read in bulk."""
    target = shutil.copytree(clean, tmp_path / "out")
    whole = shard(target).read_bytes()
    [city] = [place for place in range(len(whole)) if whole.startswith(b"out.jsonl", place)][:1]
    for place in (city, whole.index(b"input_ids"), *range(8, len(whole), len(whole) // 12)):
        data = bytearray(whole)
        data[place] ^= 0x80
        shard(target).write_bytes(data)
        found = verified(target, rows="1")
        assert found["files"].verdict == "failed"
        assert len(found) == 10
        assert place != city or found["source"].said == "not all rows can be read"


def test_a_span_that_reaches_out_of_its_row(clean, tmp_path):
    def stretch(rows):
        rows[1]["spans"][-1]["end"] += 2

    found = verified(plant(clean, tmp_path / "out", stretch))
    assert found["structure"].verdict == "failed"
    assert found["loss"].faults == ("row 1: a span reaches out of it",)


EDITS = {
    "tokens of a shard": lambda facts: facts["shards"][0].update(tokens=1),
    "rows of a shard": lambda facts: facts["shards"][0].update(rows=5),
    "bytes of a shard": lambda facts: facts["shards"][0].update(bytes=5),
    "checksum of a shard": lambda facts: facts["shards"][0].update(sha256="0" * 64),
    "first row of a shard": lambda facts: facts["shards"][0]["first"].update(line=2),
    "tokens in all": lambda facts: facts["totals"].update(tokens=1),
    "trained tokens in all": lambda facts: facts["totals"].update(trained_tokens=1),
    "tokens by role": lambda facts: facts["totals"]["by_role_and_part"][0].update(role="tool"),
    "rows used": lambda facts: facts["totals"].update(rows_used=7),
    "rows rejected": lambda facts: facts["totals"].update(rows_rejected=1, rows=7, rejects={"x": {"rows": 1}}),
    "the longest": lambda facts: facts["totals"].update(longest_sequence=1),
    "the configuration": lambda facts: facts["config"].update(history="mask"),
    "the fingerprint": lambda facts: facts.update(fingerprint="0" * 64),
    "the time": lambda facts: facts.update(now="noon"),
    "the time of another type": lambda facts: facts.update(now=5),
    "the configuration of another type": lambda facts: facts.update(config=[]),
    "the roles of another type": lambda facts: facts["config"]["train"].update(roles=5),
    "stop tokens of another type": lambda facts: facts.update(stop_tokens=5),
    "no stop tokens": lambda facts: facts.update(stop_tokens=[]),
    "more rows than fit": lambda facts: facts["shards"][0].update(rows=10**30),
    "findings": lambda facts: facts["totals"].update(findings={"border-split": {"rows": 1}}),
    "a total taken out": lambda facts: facts["totals"].pop("sequences"),
    "all totals taken out": lambda facts: facts.pop("totals"),
    "totals of another type": lambda facts: facts.update(totals=[]),
    "bytes of another type": lambda facts: facts["shards"][0].update(bytes="many"),
    "a shard without a name": lambda facts: facts["shards"][0].pop("file"),
    "a shard elsewhere": lambda facts: facts["shards"][0].update(file="../../etc/passwd"),
    "tokens by role of another type": lambda facts: facts["totals"].update(by_role_and_part=[{"role": 1}]),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_manifest(clean, tmp_path, name):
    target = shutil.copytree(clean, tmp_path / "out")
    facts = manifest(target)
    EDITS[name](facts)
    write_manifest(target, facts)
    found = verified(target, rows="1")
    assert found["files"].verdict == "failed"
    assert len(found) == 10


@pytest.mark.parametrize("gone", ["totals", "config", "fingerprint_of", "now", "stop_tokens"])
def test_a_manifest_that_lacks_a_fact_fails_and_breaks_nothing(clean, tmp_path, gone):
    target = shutil.copytree(clean, tmp_path / "out")
    write_manifest(target, {key: value for key, value in manifest(target).items() if key != gone})
    found = verified(target, rows="1")
    assert found["files"].verdict == "failed"
    assert len(found) == 10


def test_a_manifest_that_was_edited_where_nothing_contradicts_it(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    path = target / "maskprep" / "manifest.json"
    facts = {**manifest(target), "versions": {"maskprep": "9.9"}}
    path.write_text(json.dumps(facts), "utf-8")
    assert failed(target) == {"files"}


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"shards": 5}'], ids=lambda text: text[:3])
@pytest.mark.parametrize("name", ["state.json", "maskprep/manifest.json"])
def test_a_manifest_or_state_that_cannot_be_read(clean, tmp_path, name, text):
    target = shutil.copytree(clean, tmp_path / "out")
    (target / name).write_text(text, "utf-8")
    assert failed(target, rows="1") == {"files"}


def test_a_tokenizer_that_cannot_be_loaded(clean, tmp_path):
    target = shutil.copytree(clean, tmp_path / "out")
    shutil.rmtree(target / "tokenizer")
    assert failed(target) == {"files"}
    assert TOKENIZER.is_dir()
