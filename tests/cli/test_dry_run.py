"""``build --dry-run`` says what a build would do and writes nothing; ``--limit``: the first rows of a source."""

from __future__ import annotations

import pytest
from builds import THINKS, chat, run
from bundled import TOKENIZER

T = ("--tokenizer", TOKENIZER)
LONG = chat(*(f"turn {number}" for number in range(16)))


def test_it_says_what_it_would_read_and_set_and_writes_nothing(source, place):
    name = source(chat("Hi", "Ho"), chat("A", "B"))
    before = sorted(place.iterdir())
    outcome = run("build", name, *T, "-o", "out", "--dry-run", "--set", "train.turns=last", "--profile", "trl")
    assert outcome.code == 0, outcome
    assert "  rows.jsonl: JSONL, format openai, " in outcome.stdout
    assert " bytes, 2 rows\n" in outcome.stdout
    assert "  train.turns: last\n" in outcome.stdout
    assert "  profile: trl\n" in outcome.stdout
    assert "of the first 2 rows, 2 would be used and 0 rejected: 2 sequences, " in outcome.stdout
    assert outcome.stdout.endswith("maskprep build: it would go, to out\nnothing was written\n")
    assert sorted(place.iterdir()) == before


def test_it_tells_the_price_of_each_history_and_that_the_build_would_stop(source, place):
    (place / "thinks.jinja").write_text(THINKS)
    words = ["build", source(LONG, LONG), *T, "-o", "out", "--chat-template", "thinks.jinja"]
    outcome = run(*words, "--dry-run")
    assert outcome.code == 1
    assert "--history" in outcome.stdout
    assert "it would stop: history: split makes " in outcome.stdout
    facts = run(*words, "--dry-run", "--json").json
    assert facts["history_costs"]["histories"].keys() == {"split", "tree", "mask", "rendered"}
    assert facts["history_costs"]["expansion"] > 2
    assert run(*words).code == 1, "it does stop"
    chosen = run(*words, "--dry-run", "--history", "split")
    assert chosen.code == 0
    assert "history: split" in chosen.stdout
    assert not (place / "out").exists() or not (place / "out" / "state.json").exists()


def test_it_shows_the_first_rejects(source):
    outcome = run("build", source({"a": 1}, chat("Hi", "Ho")), *T, "--dry-run")
    assert outcome.code == 1
    assert "  no-messages: 1 row\n" in outcome.stdout
    assert "it would stop: of the first 2 rows, 50.0% are rejected" in outcome.stdout


def test_an_estimate_is_called_one(source):
    name = source(*[chat("Hi", "Ho")] * 500)
    assert "about 500 rows" in run("build", name, *T, "-o", "out", "--dry-run").stdout


def test_what_a_build_would_refuse_it_refuses(source, place):
    name = source(chat("Hi", "Ho"))
    assert run("build", name, *T, "-o", "out").code == 0
    again = run("build", name, *T, "-o", "out", "--dry-run")
    assert (again.code, "already holds a data set" in again.stderr) == (2, True)
    assert run("build", name, *T, "-o", "out", "--dry-run", "--overwrite").code == 0
    assert (place / "out" / "state.json").exists()


@pytest.mark.parametrize(("limit", "rows"), [(1, 2), (2, 4), (9, 5)])
def test_a_limit_reads_the_first_rows_of_each_source(source, place, limit, rows):
    one = source(*(chat(f"{n}", "one") for n in range(2)), name="one.jsonl")
    two = source(*(chat(f"{n}", "two") for n in range(3)), name="two.jsonl")
    facts = run("build", one, two, *T, "-o", "out", "--limit", limit, "--json").json
    assert facts["totals"]["rows"] == rows


def test_a_limit_makes_no_source_longer(source, place):
    (place / "c.yaml").write_text(f"sources: [{{path: {source(*[chat('Hi', 'Ho')] * 9)}, max_rows: 3}}]\n")
    assert run("build", "--config", "c.yaml", *T, "-o", "out", "--limit", 5, "--json").json["totals"]["rows"] == 3
