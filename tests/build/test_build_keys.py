"""What a build says of the keys of its rows: those that it does not read, and those that its configuration names."""

from __future__ import annotations

import json
from typing import Any

from builds import jsonl
from inspections import inspect, run

ASK = {"role": "user", "content": "How deep is the harbour?"}
SAY = {"role": "assistant", "content": "Nine metres."}


def row(number: int, message: dict[str, Any] | None = None, **keys: object) -> dict[str, Any]:
    return {"messages": [{**ASK, "content": f"{ASK['content']} {number}"}, {**SAY, **(message or {})}], **keys}


def test_keys_that_are_not_read_are_named_by_source(build, place):
    (place / "a.jsonl").write_bytes(jsonl(row(1, mood="calm"), row(2, {"foo": 1}), row(3, mood="rough", id=3), row(4)))
    (place / "b.jsonl").write_bytes(jsonl(row(5, {"foo": 1}), row(6, {"foo": None}, mood="")))
    outcome = build("a.jsonl", "b.jsonl", "--output", "out", "--json")
    assert outcome.code == 0, outcome.stderr
    told = [source["not_read"] for source in outcome.json["sources"]]
    assert told == [{"messages[].foo": 1, "mood": 2}, {"messages[].foo": 1}]
    assert outcome.json["totals"]["not_read"] == {"messages[].foo": 2, "mood": 2}
    manifest = json.loads((place / "out" / "maskprep" / "manifest.json").read_text())
    assert [source["not_read"] for source in manifest["sources"]] == told
    shown = build("a.jsonl", "b.jsonl", "--output", "out", "--overwrite").stdout
    assert "not read: messages[].foo (1 row), mood (2 rows)" in shown
    assert "not read: messages[].foo (2 rows), mood (2 rows)" in inspect(place / "out", "--stats").stdout


def test_a_key_of_a_message_that_the_template_reads_is_read(build, place):
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}{{ m.foo or '' }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    )
    prompt = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    (place / "t.jinja").write_text(template + prompt)
    rows = row(1)
    rows["messages"][0]["foo"] = " x"
    rows["messages"][0]["bar"] = " y"
    (place / "a.jsonl").write_bytes(jsonl(rows))
    outcome = build("a.jsonl", "--chat-template", "t.jinja", "--output", "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json["totals"]["not_read"] == {"messages[].bar": 1}


def test_a_rejected_row_names_its_key_and_the_setting_that_leaves_it_out_works(build, place):
    (place / "a.jsonl").write_bytes(jsonl(row(1, history=[["a", "b"]]), *(row(number) for number in range(2, 9))))
    outcome = build("a.jsonl", "--output", "out", "--max-rejects", "1", "--json")
    assert outcome.code == 0, outcome.stderr
    noticed = outcome.json["totals"]["rejects"]["unread-field"]
    assert noticed["rows"] == 1
    assert "ignore: [history]" in noticed["hint"]
    assert outcome.json["totals"]["not_read"] == {"history": 1}
    again = build("a.jsonl", "--output", "out", "--overwrite", "--set", "ignore=[history]", "--json")
    assert again.code == 0, again.stderr
    assert again.json["totals"]["rows_used"] == 8
    assert again.json["totals"]["not_read"] == {}


def test_chosen_answers_are_trained_and_bad_ones_dropped(build, place):
    pairs = [{"prompt": f"Is it {n}?", "completion": "Yes." if n % 2 else "No.", "label": n % 2 == 1} for n in range(8)]
    (place / "a.jsonl").write_bytes(jsonl(*pairs))
    refused = build("a.jsonl", "--output", "out", "--json")
    assert refused.code == 1
    assert "preference: chosen" in refused.stdout + refused.stderr
    outcome = build("a.jsonl", "--output", "out", "--set", "preference=chosen", "--json")
    assert outcome.code == 0, outcome.stderr
    totals = outcome.json["totals"]
    assert (totals["rows_used"], totals["rows_rejected"], totals["rows_dropped"]) == (4, 0, 4)
    dropped = (place / "out" / "maskprep" / "dropped.jsonl").read_text().splitlines()
    assert [json.loads(line)["code"] for line in dropped] == ["marked-bad"] * 4
    shown = build("a.jsonl", "--output", "out", "--overwrite", "--set", "preference=chosen").stdout
    assert "4 used, 0 rejected, 4 dropped (marked-bad)" in shown


def test_a_column_that_the_shape_never_reads_is_an_error(build, place):
    (place / "a.jsonl").write_bytes(jsonl({"instruction": "a", "output": "b", "text": "c"}))
    outcome = build("a.jsonl", "--output", "out", "--set", "columns={content: text}")
    assert outcome.code == 2
    assert "columns: a row of the format alpaca has no field content" in outcome.stderr
    assert not (place / "out").exists()


def test_plain_documents_are_trained_whole(build, place):
    (place / "a.jsonl").write_bytes(jsonl({"text": "The tide turns."}, {"text": "And turns again.", "id": 1}))
    assert build("a.jsonl", "--output", "out").code == 1
    outcome = build("a.jsonl", "--output", "out", "--set", "format=text", "--json")
    assert outcome.code == 0, outcome.stderr
    totals = outcome.json["totals"]
    assert totals["rows_used"] == 2
    assert totals["tokens"] - totals["trained_tokens"] == 2  # the first token of each has nothing before it
    checked = run("verify", place / "out", "--rows", "2")
    assert checked.code == 0, checked.stdout
    assert "2 of 2 rows are what their source lines become" in checked.stdout


def test_an_entry_of_columns_or_roles_that_no_row_uses_is_an_error(build, place):
    rows = [{"talk": [{"role": "pilot", "content": f"a{n}"}, {"role": "assistant", "content": "b"}]} for n in range(3)]
    (place / "a.jsonl").write_bytes(jsonl(*rows))
    good = ("--set", "columns={messages: talk}", "--set", "roles={pilot: user}")
    assert build("a.jsonl", "--output", "good", *good).code == 0
    outcome = build("a.jsonl", "--output", "out", *good, "--set", "columns={messages: talk, tools: instruments}")
    assert outcome.code == 2
    assert "no row has 'instruments'" in outcome.stderr
    outcome = build("a.jsonl", "--output", "out", *good, "--set", "roles={pilot: user, pillot: user}")
    assert outcome.code == 2
    assert "no message has the role 'pillot'; did you mean 'pilot'?" in outcome.stderr
    assert not (place / "out" / "state.json").exists()
    assert build("a.jsonl", "--output", "out", *good).code == 0  # nothing is in the way of the next one


def test_an_entry_that_one_of_several_sources_uses_is_none(build, place):
    (place / "a.jsonl").write_bytes(jsonl(row(1)))
    (place / "b.jsonl").write_bytes(jsonl({"talk": row(2)["messages"]}))
    assert build("a.jsonl", "b.jsonl", "--output", "out", "--set", "columns={messages: talk}").code == 0


def test_an_entry_of_ignore_that_leaves_nothing_out_is_named_once(build, place):
    (place / "a.jsonl").write_bytes(jsonl(row(1, mood="calm"), row(2, {"foo": 1})))
    outcome = build("a.jsonl", "--output", "out", "--set", 'ignore=[mood, foo, "messages[].mood"]', "--json")
    assert outcome.code == 0, outcome.stderr
    why = "no row and no message has 'messages[].mood'"
    assert outcome.json["ignored_settings"] == [{"key": "ignore", "why": why}]
    assert outcome.json["totals"]["not_read"] == {}
