"""Verification reads the rows of a source as the build has read them, by every setting that decides on it."""

from __future__ import annotations

import json

import pytest
from inspections import make, verified

ASKED = {"role": "user", "content": "Is the tide high?"}
SAID = {"role": "assistant", "content": "It is."}
CALL = '<tool_call>\n{"name": "tide", "arguments": {}}\n</tool_call>'
CHAT = {"messages": [ASKED, SAID]}

ROWS = {
    "preference=chosen": {"prompt": [ASKED], "chosen": [SAID], "rejected": [{**SAID, "content": "No idea."}]},
    "ignore=[loss_mask]": {**CHAT, "loss_mask": [0, 1, 1]},
    "tool_tags=keep": {"messages": [ASKED, {**SAID, "content": CALL}]},
    "roles={fisher: user}": {"messages": [{**ASKED, "role": "fisher"}, SAID]},
    "columns={messages: talk}": {"talk": CHAT["messages"]},
    "mixed_formats=true": {"prompt": "Is it?", "completion": "It is."},
    "format=texts": {"turns": ["Is it?", "It is."]},
}


@pytest.mark.parametrize("setting", ROWS)
def test_rows_that_a_setting_makes_readable_are_rebuilt(tmp_path, setting):
    rows = [ROWS[setting], CHAT] if setting == "mixed_formats=true" else [ROWS[setting]] * 2
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    built = make(tmp_path / "out", source, "--set", setting)
    assert verified(built, "2")["rows"] == 2


def test_settings_of_one_source_are_not_those_of_another(tmp_path):
    for name, key in (("a", "talk"), ("b", "chat_log")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({key: CHAT["messages"]}) + "\n")
    sources = [
        {"path": str(tmp_path / f"{name}.jsonl"), "columns": {"messages": key}}
        for name, key in (("a", "talk"), ("b", "chat_log"))
    ]
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"sources": sources}))
    built = make(tmp_path / "out", f"--config={config}")
    assert verified(built, "2")["rows"] == 2
