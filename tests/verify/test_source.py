"""No false alarm: every golden case and every bundled conversation is what transformers alone says it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from bundled import ROOT
from law.shapes import SHAPES
from law.templates import LAWS
from planting import build, conversations, plant, rows_of, span_of, verified
from thorough import some

GOLDEN = ROOT / "tests" / "golden" / "cases"
CASES = sorted(path.name for path in GOLDEN.iterdir())


def build_case(case, folder):
    facts = yaml.safe_load((GOLDEN / case / "case.yaml").read_text("utf-8"))
    (folder / "options.yaml").write_text(json.dumps(facts.get("options", {})))
    options = ["--config", folder / "options.yaml"]
    template = GOLDEN / case / "template.jinja"
    options += ["--chat-template", template] if template.exists() else []
    return build(folder, [facts["row"]], options=options)


@pytest.mark.parametrize("case", some(CASES, 4))
@pytest.mark.sweep
def test_golden_cases_are_clean(case, tmp_path):
    found = verified(build_case(case, tmp_path))
    assert {name for name, result in found.items() if result.verdict == "failed"} == set(), found
    turns = found["source"].figures
    assert turns["turns_proved"] + turns["turns_as_rendered"] > 0


@pytest.mark.parametrize(
    "name",
    some(
        [
            *("loops_over_parts", "takes_the_first_part", "reads_reasoning", "needs_a_user", "prompt_has_more_blanks"),
            *("header_has_more_blanks", "last_result_ends_otherwise", "percent_filter"),
        ],
        4,
    ),
)
@pytest.mark.sweep
def test_what_is_given_in_another_form_or_left_out_is_clean(name, tmp_path):
    template = tmp_path / "template.jinja"
    template.write_text(LAWS[name].text, "utf-8")
    rows = [SHAPES[shape] for shape in ("plain", "reasoning", "greeting", "empty_result", "empty_answer", "tools")]
    options = ["--chat-template", template, "--max-rejects", "1"]
    found = verified(build(tmp_path, rows, options=options), rows="all")
    assert {name for name, result in found.items() if result.verdict == "failed"} == set(), found
    assert found["source"].figures["turns_proved"] > 0


def test_turns_in_another_context_are_compared_with_their_rendering_and_that_is_said(tmp_path):
    found = verified(build_case("history-rendered", tmp_path))["source"]
    assert found.figures["turns_as_rendered"] == 1
    assert "context that no server sends" in found.flags[0]


def test_a_prompt_that_is_not_the_servers_is_found_by_transformers_alone(tmp_path):
    """The thought of an earlier turn, which the template drops, is put back into what later turns are shown."""
    folder = build_case("history-split", tmp_path)

    def lengthen(rows):
        row = rows[0]
        end = span_of(row, "user", "content")["end"]
        for name, value in (("input_ids", 99), ("labels", -100)):
            row[name].insert(end, value)
        for span in row["spans"]:
            span["start"] += span["start"] >= end
            span["end"] += span["end"] >= end

    found = verified(plant(folder, tmp_path / "planted", lengthen))
    assert found["structure"].verdict == "passed"
    assert "are not the" in found["source"].faults[0]
    assert "of its prompt, from token" in found["source"].faults[0]


def test_the_bundled_sample_is_clean(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = [json.loads(line) for line in _sound(ROOT / "sample_data" / "conversations.jsonl")]
    found = verified(build(tmp_path, rows, options=["--max-rejects", "1"]), rows="all")
    assert {name for name, result in found.items() if result.verdict == "failed"} == set()
    assert found["source"].figures["turns_proved"] == 119  # one row is rejected: it spells a control token


def _sound(path: Path):
    for line in path.read_text("utf-8").split("\n"):
        try:
            json.loads(line)
        except ValueError:
            continue
        yield line


def test_a_template_that_asks_for_the_time_is_told_that_of_the_build(tmp_path):
    template = tmp_path / "clock.jinja"
    template.write_text(
        "{{ strftime_now('%Y-%m-%d %H:%M') }}\n{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder = build(tmp_path, list(conversations())[1:], options=["--chat-template", template])
    assert verified(folder)["source"].verdict == "passed"


def test_a_source_that_is_gone_is_said_and_not_held_against_the_data_set(tmp_path):
    folder = build(tmp_path)
    (tmp_path / "out.jsonl").unlink()
    found = verified(folder)["source"]
    assert found.verdict == "skipped"
    assert f"source not found at {tmp_path / 'out.jsonl'}: 6 rows not compared" in found.said
    assert found.facts["not_found"] == [str(tmp_path / "out.jsonl")]


def test_a_line_that_was_edited_since(tmp_path):
    folder = build(tmp_path)
    path = tmp_path / "out.jsonl"
    path.write_text(path.read_text().replace("number 2 is", "number two is"))
    found = verified(folder)["source"]
    assert found.verdict == "failed"
    assert found.fault_count == 1
    assert "row 3" in found.faults[0]


def test_lines_that_are_gone_or_no_rows_any_more(tmp_path):
    folder = build(tmp_path)
    path = tmp_path / "out.jsonl"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], "{", *lines[2:4]]))
    found = verified(folder)["source"]
    assert found.fault_count == 3
    assert "is rejected now" in " ".join(found.faults)
    assert "has no line 5 any more" in " ".join(found.faults)


def test_a_sample_is_as_large_as_asked_and_repeatable(tmp_path):
    folder = build(tmp_path)
    assert verified(folder, rows="2")["source"].figures["rows"] == 2
    first, second = (verified(folder, rows="3", seed=5)["gradient"].facts for _ in range(2))
    assert first == second
    assert len(rows_of(folder)) == 6


def test_adapted_rows_are_what_transformers_makes_of_the_adapted_conversation(tmp_path):
    rows = [
        {
            "messages": [
                {"role": "assistant", "content": f"Welcome, number {n}!"},
                {"role": "user", "content": "Hi"},
                {"role": "user", "content": "Are you there?"},
                {"role": "assistant", "content": "Yes.", "weight": n % 2},
                {"role": "assistant", "content": "How can I help?"},
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Bye"},
                {"role": "assistant", "content": f"Bye, number {n}."},
            ]
        }
        for n in range(4)
    ]
    chosen = {"system": "merge", "same_role": "join", "tool_call_ids": "short", "first_assistant": "drop"}
    options = [word for key, value in chosen.items() for word in ("--set", f"adapt.{key}={value}")]
    found = verified(build(tmp_path, rows, options=options), rows="all")
    assert {name for name, result in found.items() if result.verdict == "failed"} == set(), found
    assert found["source"].figures["turns_proved"] == 8
