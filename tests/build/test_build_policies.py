"""What a user asks for on the command line reaches the data set, and ``maskprep verify`` agrees with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import chat, rejects, run
from datasets import load_from_disk

from maskprep.dataset.reader import StoredDataSet

CALL = {"id": "call-8f3a", "type": "function", "function": {"name": "look_up", "arguments": {"what": "the sea"}}}
ROWS = (
    chat("Who are you?", "A program.", "Since when?", "Since 2020.", "Thanks.", "Any time."),
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "  How deep is the sea?\n"},
            {"role": "assistant", "content": "", "reasoning_content": "I should look.", "tool_calls": [CALL]},
            {"role": "tool", "content": "3,700 m", "tool_call_id": "call-8f3a"},
            {"role": "assistant", "content": "About 3,700 m."},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "Say it."},
            {"role": "assistant", "content": "secret: 1234, and more", "mask_spans": [[8, 12]], "weight": 0.5},
            {"role": "user", "content": "Again."},
            {"role": "assistant", "content": "Surely: ", "prefix": True},
        ]
    },
)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("train.turns=last", "max_rejects=0.5"),
        ("train.turns=2 last",),
        ("train.turns=first", "max_rejects=0.5"),
        ("train.turns=since_last_user", "max_rejects=0.5"),
        ("train.turns=since_last_user", "history=mask", "max_rejects=0.5"),
        ("train.turns=since_last_user", "history=rendered", "train.roles=[assistant, tool]", "max_rejects=0.5"),
        ("train.roles=[user]",),
        ("train.roles=[assistant, user, tool, system]",),
        ("train.parts=[content, stop]",),
        ("train.parts=[reasoning, tool_call]", "max_rejects=1"),
        ("train.empty_reasoning=mask", "train.tool_call_ids=mask"),
        ("history=rendered", "train.roles=[user, assistant]"),
        ("history=mask", "train.roles=[user, assistant]"),
        ("max_length=48", "overflow=drop_turns", "max_rejects=0.5"),
        ("max_length=48", "overflow=truncate", "max_rejects=0.5"),
        ("packing={length: 48}", "overflow=truncate", "max_rejects=0.5"),
        ("max_length=48", "overflow=split", "max_rejects=0.5"),
        ("max_length=60", "overflow=split", "train.roles=[user, assistant]"),
    ],
    ids="; ".join,
)
def test_what_is_asked_for_is_built_and_verifies(build, source, settings):
    options = [word for setting in ("max_expansion=9", *settings) for word in ("--set", setting)]
    outcome = build(source(*ROWS), "--output", "out", "--json", *options)
    assert outcome.code == 0, outcome
    assert outcome.json["totals"]["rows_used"] >= 1
    outcome = run("verify", "out", "--device", "cpu", "--json")
    assert outcome.code == 0, outcome


def test_an_answer_that_is_only_begun_is_all_that_its_row_asks_for_and_rejects_it(build, source):
    assert build(source(*ROWS), "--output", "out", "--set", "train.turns=since_last_user").code == 1
    assert build(source(*ROWS), "--output", "out", "--set", "train.turns=last", "--max-rejects", "0.5").code == 0
    (found,) = rejects(Path("out"))
    assert (found["line"], found["code"]) == (3, "empty-answer")
    assert "1 of 4 messages say nothing, or are only begun (prefix)" in found["message"]


def test_a_mask_a_weight_and_a_prefix_of_the_data_reach_the_rows(build, source):
    assert build(source(*ROWS), "--output", "out").code == 0
    data = load_from_disk("out")
    assert data.column_names == ["input_ids", "labels", "spans", "origin", "loss_weights"]
    stored = StoredDataSet("out")
    row = next(row for row in map(stored.row, range(len(stored))) if row.where.line == 3)
    assert set(row.labelled.weights.tolist()) == {0.0, 0.5}
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained("out/tokenizer")
    learnt = tokenizer.decode(row.labelled.labels[row.labelled.labels >= 0])
    assert "1234" not in learnt
    assert "secret" in learnt
    assert "Surely" not in learnt
    assert "Surely" in tokenizer.decode(row.labelled.input_ids)
