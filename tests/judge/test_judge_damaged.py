"""Data that is broken or hostile ends in a plain message, and a row that cannot be read is counted and named."""

from __future__ import annotations

import json

import pytest
from builds import run
from bundled import CONVERSATIONS, TOKENIZER

from maskprep.judge.documents import NoTokensError, documents_of

BROKEN = {
    "no list": {"input_ids": "abc", "labels": [1]},
    "floats": {"input_ids": [1.5, 2], "labels": [1, 2]},
    "nested": {"input_ids": [[1, 2]], "labels": [[1, 2]]},
    "too large": {"input_ids": [2**70]},
    "shorter labels": {"input_ids": [1, 2, 3], "labels": [1]},
    "longer mask": {"input_ids": [1], "loss_mask": [1, 1]},
    "lengths": {"input_ids": [1, 2], "seq_lengths": [1, 5]},
    "no ids": {"text": "hello"},
    "tree": {"input_ids": [1, 2], "position_ids": [0, 5], "visible_until": [2, 2]},
}


@pytest.mark.parametrize("row", BROKEN.values(), ids=BROKEN)
def test_columns_that_are_no_token_ids_or_do_not_fit_are_refused(row):
    with pytest.raises(NoTokensError):
        list(documents_of(row))


def masks(row):
    return [document.trained.tolist() for document in documents_of(row)]


def test_masks_are_read_in_the_conventions_of_each_tool():
    ids = [5, 6, 7, 8]
    assert masks({"input_ids": ids, "labels": [-100, -100, 7, 8]}) == [[False, False, True, True]]
    assert masks({"input_ids": ids, "loss_mask": [0, 1, 1], "num_actions": 3}) == [[False, False, True, True]]
    assert masks({"input_ids": ids, "loss_mask": [0, 1, 1, 0], "seq_start_id": [0]}) == [[False, False, True, True]]
    both = {"input_ids": ids, "assistant_masks": [0, 1, 1, 1], "completion_mask": [0, 0, 1, 1]}
    assert masks(both) == [[False, False, True, True]]
    assert masks({"tokens": ids}) == [[False, True, True, True]]


@pytest.mark.parametrize(
    "column",
    [
        {"seq_lengths": [2, 2]},
        {"seq_start_id": [0, 2]},
        {"attention_mask": [1, 1, 2, 2]},
        {"position_ids": [0, 1, 0, 1]},
    ],
)
def test_packed_rows_are_cut_into_their_documents(column):
    found = [document.ids.tolist() for document in documents_of({"input_ids": [5, 6, 7, 8], **column})]
    assert found == [[5, 6], [7, 8]]


def refused(*words):
    outcome = run("judge", *words, "--tokenizer", TOKENIZER)
    assert outcome.code == 2, outcome
    assert not outcome.stdout
    return outcome.stderr


def test_what_cannot_be_judged_at_all_is_told_in_a_sentence(place):
    (place / "text.jsonl").write_text('{"text": "\\u001b[31mhello"}\n')
    (place / "broken.parquet").write_bytes(b"PAR1 is not enough")
    (place / "other.jsonl").write_text(json.dumps({"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}) + "\n")
    assert "no column of token ids" in refused("text.jsonl")
    assert "broken.parquet" in refused("broken.parquet")
    assert "no such file" in refused("missing.jsonl")
    assert "--rows many" in refused("other.jsonl", "--rows", "many")
    assert "no document holds the text" in refused("other.jsonl", "--source", CONVERSATIONS)


def test_rows_that_cannot_be_read_are_counted_and_named(place):
    rows = [{"input_ids": [5, 6], "labels": [-100, 6]}, BROKEN["floats"], {"input_ids": [7, 8], "labels": [-100, 8]}]
    (place / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n")
    outcome = run("judge", "data.jsonl", "--tokenizer", TOKENIZER, "--json")
    assert outcome.code == 1
    assert outcome.json["documents"] == 2
    assert sum(outcome.json["unreadable_rows"].values()) == 2
    assert any("data.jsonl:2" in said for said in outcome.json["unreadable_rows"])
