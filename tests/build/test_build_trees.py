"""``history: tree``, from the command line to the files: what ``split`` trains, in one row a conversation."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from builds import THINKS, chat
from bundled import TOKENIZER
from datasets import load_from_disk

from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.trees import fault, unrolled, visible_until
from maskprep.labelled import IGNORED

LINEAR = {"model_type": "qwen3_next", "num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]}
LONG = [chat(*(f"message {n} of {row}, which has some words" for n in range(2 * row + 2))) for row in range(5)]


@pytest.fixture
def rows(source, place):
    """Five conversations of one to five turns, and a template that takes an empty thought away from earlier turns."""
    (place / "thinks.jinja").write_text(THINKS)
    return [source(*LONG), "--chat-template", "thinks.jinja"]


def trained(folder) -> Counter:
    """Count the trained tokens of a data set, each with all that it is predicted from, and what is told of it."""
    data, found = StoredDataSet(str(folder)), Counter()
    for number in range(len(data)):
        row = data.row(number)
        for sequence in unrolled(row.labelled):
            for span in sequence.spans:
                for at in range(span.start, span.end) if span.trained else ():
                    context = sequence.input_ids[: at + 1].tobytes()
                    found[row.where.line, context, span.role, span.part, span.message] += 1
    return found


def check_columns(row) -> None:
    """Check a row that is one tree: its invariants, and the columns that say the same twice."""
    columns = [np.asarray(row[name], np.int64) for name in ("input_ids", "labels", "position_ids", "visible_until")]
    assert fault(*columns) == ""
    assert ((columns[1] == columns[0]) | (columns[1] == IGNORED)).all()


def test_what_split_trains_each_once_in_its_own_context(build, rows, place):
    for history in ("split", "tree"):
        assert build(*rows, "--history", history, "--output", history).code == 0
    data = load_from_disk(str(place / "tree"))
    assert data.column_names == ["input_ids", "labels", "position_ids", "visible_until", "spans", "origin"]
    assert [row["origin"]["sequence"] for row in data] == [0] * 5
    for row in data:
        check_columns(row)
    assert trained(place / "tree") == trained(place / "split")
    assert sum(trained(place / "tree").values()) == sum((np.asarray(row["labels"]) != IGNORED).sum() for row in data)
    split = load_from_disk(str(place / "split"))
    assert sum(map(len, data["input_ids"])) < sum(map(len, split["input_ids"]))
    plain = data[0]
    assert plain["position_ids"] == list(range(len(plain["input_ids"])))
    assert plain["visible_until"] == [len(plain["input_ids"])] * len(plain["input_ids"])


@pytest.mark.parametrize("length", [185, 200, 400])
def test_a_tree_that_is_too_long_is_divided_at_branches(build, rows, place, length):
    assert build(*rows, "--history", "split", "--output", "split", "--max-length", length).code == 0
    assert build(*rows, "--history", "tree", "--output", "tree", "--max-length", length).code == 0
    data = load_from_disk(str(place / "tree"))
    assert max(map(len, data["input_ids"])) <= length
    assert (len(data) > 5) == (length < 400)
    for row in data:
        check_columns(row)
    assert trained(place / "tree") == trained(place / "split")


def test_a_path_that_is_too_long_is_what_overflow_says(build, rows, place):
    outcome = build(*rows, "--history", "tree", "--output", "out", "--max-length", 60, "--json")
    assert outcome.code == 1
    assert "too-long" in outcome.json["rejects"]
    for history in ("split", "tree"):
        words = ["--history", history, "--output", history, "--max-length", 60, "--set", "overflow=split"]
        assert build(*rows, *words).code == 0
    assert trained(place / "tree") == trained(place / "split")


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_trees_are_packed_behind_each_other(build, rows, place, shuffle):
    settings = ["--set", "packing.length=400", "--set", f"shuffle={shuffle}"]
    assert build(*rows, "--history", "tree", "--output", "plain").code == 0
    assert build(*rows, "--history", "tree", "--output", "packed", *settings).code == 0
    packed = load_from_disk(str(place / "packed"))
    assert len(packed) < 5
    for row in packed:
        columns = [np.asarray(row[name], np.int64) for name in ("input_ids", "labels", "position_ids", "visible_until")]
        end = 0
        for length in row["seq_lengths"]:
            start, end = end, end + length
            ids, labels, positions, until = (column[start:end] for column in columns)
            assert fault(ids, labels, positions, until - start) == ""
        # One rule is the whole mask: whoever sees a token stands in its own document.
        assert (
            columns[3].tolist()
            == np.concatenate(
                [
                    visible_until(columns[2][low:high]) + low
                    for low, high in zip(
                        np.cumsum([0, *row["seq_lengths"]]), np.cumsum(row["seq_lengths"]), strict=False
                    )
                ]
            ).tolist()
        )
    assert trained(place / "packed") == trained(place / "plain")


def test_weights_are_carried(build, source, place):
    (place / "thinks.jinja").write_text(THINKS)
    row = chat("a", "b", "c", "d")
    row["messages"][1]["weight"] = 0.5
    made = [source(row), "--chat-template", "thinks.jinja"]
    assert build(*made, "--history", "tree", "--output", "out").code == 0
    [tree] = load_from_disk(str(place / "out"))
    assert set(tree["loss_weights"]) == {0.0, 0.5, 1.0}
    assert [weight > 0 for weight in tree["loss_weights"]] == [label != IGNORED for label in tree["labels"]]


def test_an_export_is_what_a_build_would_have_written(build, rows, place):
    assert build(*rows, "--history", "tree", "--output", "tree").code == 0
    assert build(*rows, "--history", "tree", "--output", "packed", "--set", "packing.length=400").code == 0
    from builds import run

    for first, settings, second in (("tree", "packing.length=400", "packed"), ("packed", "packing=null", "tree")):
        assert run("export", first, "--set", settings, "--output", f"from_{first}").code == 0
        assert load_from_disk(f"from_{first}").to_list() == load_from_disk(second).to_list()
    refused = run("export", "tree", "--profile", "trl", "--output", "trl")
    assert refused.code == 2
    assert "tree" in refused.stderr


@pytest.mark.parametrize("profile", ["trl", "axolotl", "llamafactory", "megatron", "together", "skyrl", "olmo"])
def test_trainers_that_make_their_own_mask_are_refused_before_anything_is_read(build, place, profile):
    outcome = build("nowhere.jsonl", "--history", "tree", "--output", "out", "--set", f"profile={profile}")
    assert outcome.code == 2
    assert "tree" in outcome.stderr
    assert "--history split" in outcome.stderr


def test_splits_without_a_tree_have_the_columns_too(build, rows, place):
    assert build(*rows, "--history", "tree", "--output", "out", "--set", "split=0.01").code == 0
    for part in load_from_disk(str(place / "out")).values():
        assert part.column_names == ["input_ids", "labels", "position_ids", "visible_until", "spans", "origin"]


def test_any_number_of_workers_writes_the_same(build, rows, place):
    for workers in ("0", "2"):
        assert build(*rows, "--history", "tree", "--output", f"out{workers}", "--workers", workers).code == 0
    assert load_from_disk("out0").to_list() == load_from_disk("out2").to_list()


@pytest.mark.parametrize(
    ("model", "code", "told"),
    [
        ({"model_type": "qwen3", "num_hidden_layers": 1}, 0, ""),
        (LINEAR, 2, "no plain attention"),
        ({"model_type": "mamba", "ssm_cfg": {"d": 1}}, 2, "no plain attention"),
        ({"model_type": "brand_new"}, 0, "were not tried"),
    ],
    ids=str,
)
def test_a_model_that_cannot_be_trained_on_trees_is_told_by_its_config(build, rows, place, model, code, told):
    folder = place / "model"
    shutil.copytree(TOKENIZER, folder)
    (folder / "config.json").write_text(json.dumps(model))
    outcome = build(*rows, "--history", "tree", "--output", "out", tokenizer=folder)
    assert outcome.code == code, outcome
    assert told in outcome.stderr + outcome.stdout
    if not told:
        assert "were not tried" not in outcome.stdout
    if code:
        assert "--history split" in outcome.stderr
        facts = build(*rows, "--output", "out", "--set", "max_expansion=1", "--json", tokenizer=folder).json
        assert facts["recommended"]["settings"] == {"history": "split"}
