"""Broken rows are to be mended; only where a template stands in the way is another one recommended."""

from __future__ import annotations

import builds
from builds import chat, jsonl
from bundled import TOKENIZER


def told(place, data):
    (place / "rows.jsonl").write_bytes(data)
    outcome = builds.run("build", "rows.jsonl", "--tokenizer", TOKENIZER, "-o", "out")
    assert outcome.code == 1
    return outcome.stderr


def test_rows_that_nobody_can_read_are_to_be_mended(place):
    said = told(place, b"x\ny\n")
    assert "Recommended: mend the rows" in said
    assert "another chat template" not in said


def test_some_broken_rows_are_no_fault_of_the_template(place):
    said = told(place, jsonl(*[chat("Hi", "Ho")] * 3) + b"x\n")
    assert "another chat template" not in said
    assert "--max-rejects" in said


def test_a_template_that_cannot_render_a_turn_is_blamed(place):
    (place / "none.jinja").write_text(
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    )
    (place / "rows.jsonl").write_bytes(jsonl(chat("Hi", "Ho")))
    outcome = builds.run("build", "rows.jsonl", "--tokenizer", TOKENIZER, "-o", "out", "--chat-template", "none.jinja")
    assert outcome.code == 1
    assert "Recommended: another chat template" in outcome.stderr
