"""What a build says of rows that the template refuses, and that a build with the advice uses them."""

from __future__ import annotations

import json
import re

import pytest
from builds import chat, rejects, run, tree
from bundled import TOKENIZER
from refusals import REFUSALS, TEMPLATES

import maskprep.build.plan as plan

MIDDLE = REFUSALS["one system message"][1]
TWO = REFUSALS["roles that alternate, two users"][1]
CODES = {
    "adapt.system": "system-merged",
    "adapt.same_role": "same-role-joined",
    "adapt.arguments": "arguments-changed",
    "adapt.tool_call_ids": "tool-call-ids-shortened",
    "adapt.tool_results": "tool-results-as-user",
    "adapt.first_assistant": "first-assistant-dropped",
}
"""The finding of each adaptation."""


@pytest.fixture
def template(place):
    """Write one of the templates to a file and return its name."""

    def write(name):
        (place / "t.jinja").write_text(TEMPLATES.get(name, name), "utf-8")
        return "t.jinja"

    return write


def settings(hint):
    """The words of the first remedy that a hint names."""
    return re.match(r"[^-]*((?:--set \S+ ?)+)", hint.replace(",", " ").replace(";", " "))[1].split()


@pytest.mark.parametrize("name", REFUSALS)
def test_the_build_again_with_what_was_advised_uses_the_row(name, build, source, template, place):
    which, data, wanted = REFUSALS[name]
    words = (
        source(data),
        "--chat-template",
        template(which),
        "--output",
        "out",
        "--overwrite",
        "--set",
        "history=split",
    )
    failed = build(*words)
    assert failed.code == 1
    hint = rejects(place / "out")[0]["hint"]
    assert hint.startswith("tried on this row, and it is used with ")
    again = settings(hint)
    assert again == [word for setting in wanted.split() for word in ("--set", setting)]
    done = build(*words, *again, "--json")
    assert done.code == 0, done
    assert done.json["totals"]["rows_used"] == 1
    told = set(done.json["totals"]["findings"])
    chosen = {word.split("=")[0] for word in again if word.startswith("adapt.")}
    assert {CODES[key] for key in chosen} == told & set(CODES.values())


def test_too_many_rejected_rows_are_told_with_what_mends_them(build, source, template):
    rows = [chat("Hi", "Hello."), MIDDLE, MIDDLE, MIDDLE, TWO]
    words = (source(*rows), "--chat-template", template("alternate"), "--output", "out")
    failed = build(*words, "--json")
    assert failed.code == 1
    assert failed.json["remedies"] == {"--set adapt.system=merge": 3, "--set adapt.same_role=join": 1}
    both = {"adapt.system": "merge", "adapt.same_role": "join"}
    assert failed.json["recommended"]["settings"] == both
    assert failed.json["recommended"]["rows_used"] == 5
    assert failed.json["hint"].startswith(
        "recommended: --set adapt.same_role=join --set adapt.system=merge; tried on 5"
    )
    assert failed.json["rejects"]["template-error"]["hint"].startswith("tried on this row")


def test_rows_that_are_all_rejected_are_told_with_what_mends_them(build, source, template):
    words = (source(*[MIDDLE] * 200), "--chat-template", template("one_system"), "--output", "out")
    failed = build(*words)
    assert "no other was read" in failed.stderr
    assert "Recommended: maskprep build" in " ".join(failed.stderr.split())
    assert "--set adapt.system=merge tried on 200 of these rows: 200 used (without: 0)" in " ".join(
        failed.stderr.split()
    )


@pytest.mark.long
def test_what_is_advised_is_the_same_for_any_number_of_workers(build, source, template, place, monkeypatch):
    monkeypatch.setattr(plan, "_LEAST", 2_000)
    rows = [chat(f"Hi {n}", "Hello.") if n % 3 else (MIDDLE, TWO)[n % 2] for n in range(120)]
    words = (
        source(*rows),
        "--chat-template",
        template("one_system"),
        "--set",
        "max_rejects=1",
        "--set",
        "now=2026-01-01",
    )
    found = []
    for workers in (0, 1, 3):
        assert build(*words, "--output", "out", "--overwrite", "--workers", workers).code == 0
        found.append(tree(place / "out"))
    assert found[0] == found[1] == found[2]
    hints = {reject["hint"].split(",")[0].split(":")[0] for reject in rejects(place / "out")}
    assert hints == {"tried on this row", "tried on rows.jsonl"}, "in more than one chunk"
    assert sum(reject["hint"].startswith("tried on this row") for reject in rejects(place / "out")) > 1


def test_inspecting_a_source_row_shows_what_was_tried_on_it(source, template):
    words = (
        "inspect",
        source(chat("Hi", "Hello."), MIDDLE),
        "--tokenizer",
        TOKENIZER,
        "--chat-template",
        template("one_system"),
    )
    found = json.loads(run(*words, "--row", 1, "--json").stdout)["rows"][0]["rejected"]
    assert found["hint"].startswith("tried on this row, and it is used with --set adapt.system=merge")
    assert found["details"]["advice"]["fits"][0] == "--set adapt.system=merge"
    shown = run(*words, "--row", 1).stdout
    assert "fix: tried on this row" in " ".join(shown.split())
    used = json.loads(run(*words, "--row", 1, "--json", "--set", "adapt.system=merge").stdout)["rows"][0]
    assert used["findings"][0]["code"] == "system-merged"


def test_messages_are_numbered_as_they_were_adapted_and_the_row_is_not_shown_by_that_number(source, template):
    """The error names messages[2] of what is given to the template, which is another message of the row."""
    greeting = {"messages": [{"role": "assistant", "content": "Welcome!"}, *MIDDLE["messages"][1:3]]}
    greeting["messages"][-1] = {"role": "assistant", "content": "Hello.", "reasoning_content": "Greet."}
    words = (
        "inspect",
        source(greeting),
        "--tokenizer",
        TOKENIZER,
        "--chat-template",
        template("closes_thoughts"),
        "--row",
        0,
    )
    for more, numbered in ((), True), (("--set", "adapt.first_assistant=drop"), False):
        row = json.loads(run(*words, *more, "--json").stdout)["rows"][0]
        assert row["rejected"]["code"] == "prompt-mismatch"
        assert ("messages[2]" in row["rejected"]["message"]) == numbered
        assert row["around"]["title"] == ("messages[2]" if numbered else "the row begins")


def test_probing_with_rows_tells_what_was_tried(source, template):
    words = ("probe", TOKENIZER, source(MIDDLE), "--chat-template", template("one_system"), "--json")
    facts = json.loads(run(*words).stdout)["rows"]
    assert facts["rejects"]["template-error"]["hint"].startswith("tried on this row")
    assert facts["remedies"] == {"--set adapt.system=merge": 1}


def test_the_template_is_probed_as_it_is_whatever_is_adapted(source, template):
    words = ("probe", TOKENIZER, "--chat-template", template("one_system"), "--json")
    plain, adapted = run(*words).stdout, run(*words, "--set", "adapt.system=merge").stdout
    assert plain == adapted


@pytest.mark.parametrize("duplicates", ["drop", "keep"])
def test_rows_that_become_the_same_are_duplicates(duplicates, build, source, template):
    apart = {"messages": [*TWO["messages"][:2], *TWO["messages"][2:]]}
    joined = {"messages": [{"role": "user", "content": "Hi\n\nThere?"}, TWO["messages"][2]]}
    words = (source(joined, apart), "--chat-template", template("alternate"), "--output", "out", "--json")
    found = build(*words, "--set", "adapt.same_role=join", "--set", f"duplicates={duplicates}").json["totals"]
    assert found["duplicates"] == 1
    assert found["rows_used"] == (1 if duplicates == "drop" else 2)


def test_markers_in_pieces_are_told_once_and_the_setting_makes_it_right(build, source, place):
    (place / "t.jinja").write_text(
        "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}<|over|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
    )
    words = (
        source(chat("Hi", "Hello."), chat("Bye", "Bye.")),
        "--chat-template",
        "t.jinja",
        "--output",
        "out",
        "--overwrite",
    )
    done = build(*words)
    text = " ".join(done.stdout.split())
    assert text.count("marker-not-token") == 1
    key, value = re.search(r"--set '([^=]+)=(\[.*?\])'", text).groups()
    assert set(json.loads(value)) == {"<|turn|>", "<|over|>"}
    mended = build(*words, "--set", f"{key}={value}", "--json").json
    assert "marker-not-token" not in mended["totals"]["findings"]
    assert "no-stop-token" not in mended["totals"]["findings"]


def test_builds_that_were_adapted_otherwise_are_others(build, source, template):
    words = (source(MIDDLE), "--chat-template", template("one_system"), "--json")
    one, two = (build(*words, "--output", way, "--set", f"adapt.system={way}").json for way in ("merge", "user"))
    assert one["fingerprint"] != two["fingerprint"]
    assert one["config"]["adapt"]["system"] == "merge"
