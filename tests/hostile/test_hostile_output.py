"""Nothing from data, templates, tokenizers, settings or names reaches a terminal or a page as anything but text."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from builds import run
from bundled import TOKENIZER
from planted import ACTS, DOCUMENTS, EVIL, NAME, ROLE, chat, plant_tokenizer, rows
from thorough import some

SOURCE, OUT = f"{NAME}.jsonl", f"out {NAME}"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A build of hostile rows with a hostile tokenizer, configuration and names; where it is, and what it said."""
    place = tmp_path_factory.mktemp("built")
    (place / SOURCE).write_bytes(b"\n".join(rows()) + b"\n")
    plant_tokenizer(place / f"tokenizer {NAME}")
    settings = {
        "sources": [SOURCE],
        "tokenizer": f"tokenizer {NAME}",
        "template_kwargs": {EVIL: EVIL},
        "roles": {ROLE: "user"},
        "columns": {"documents": DOCUMENTS},
        "stop_tokens": [EVIL + "|token|"],
        "max_rejects": 1,
        "history": "mask",
        "control_tokens": "keep",
        "prompt_mismatch": "train",
    }
    (place / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    before = Path.cwd()
    os.chdir(place)
    try:
        outcome = run("build", "--config", "config.yaml", "--output", OUT)
    finally:
        os.chdir(before)
    assert outcome.code == 0, outcome
    return place, outcome.stdout + outcome.stderr


@pytest.fixture
def built(template, place):
    """What that build said; its folder, with its source, is where the test works."""
    shutil.copytree(template[0], place, dirs_exist_ok=True)
    return template[1]


def check(*texts):
    for text in texts:
        found = ACTS.search(text)
        assert not found, (found, text[max(0, found.start() - 300) : found.end() + 100])


def test_a_build(built, place):
    check(built)
    facts = json.loads((place / OUT / "maskprep" / "manifest.json").read_text("utf-8"))["totals"]
    assert facts["rows_used"] >= 4
    assert len(facts["rejects"]) >= 14
    for note in ("rejects", "findings"):
        raw = (place / OUT / "maskprep" / f"{note}.jsonl").read_bytes()
        assert raw.isascii()
        check(raw.decode())


VIEWS = {
    "row": [],
    "tokens": ["--tokens"],
    "all": ["--rows", ":", "--full"],
    "find": ["--find", EVIL[:20]],
    "nothing": ["--find", EVIL + "not there"],
    "origin": ["--origin", f"{SOURCE}:1"],
    "reject": ["--origin", f"{SOURCE}:9"],
    "nowhere": ["--origin", f"{NAME}:1"],
    "no number": ["--origin", NAME],
    "finding": ["--finding", "control-token-in-text"],
    "no code": ["--finding", NAME],
    "no rows": ["--rows", NAME],
    "stats": ["--stats"],
    "compare": ["--compare", "other.yaml"],
    "compared with nothing": ["--compare", NAME],
}
REFUSED = {"nothing", "nowhere", "no number", "no code", "no rows", "compared with nothing"}


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.sweep
def test_every_view(built, place, maskprep, as_json):
    (place / "other.yaml").write_text(json.dumps({"train": {"roles": ["user", "assistant"]}}))
    for target in (OUT, SOURCE):
        for name, words in some(VIEWS.items(), 3, as_json + (target == OUT)):
            more = ["--config", "config.yaml"] if target == SOURCE else []
            code, stdout, stderr = maskprep("inspect", target, *words, *more, *["--json"] * as_json)
            check(stdout, stderr)
            wrong = name in REFUSED or (name == "stats" and target == SOURCE)
            assert code == (2 if wrong else 0), (target, name, stdout, stderr)
            if as_json:
                json.loads(stdout)


def test_every_reject_is_shown_as_text(built, place, maskprep):
    count = len((place / OUT / "maskprep" / "rejects.jsonl").read_text().splitlines())
    assert count > 20
    for line in range(1, 40, 3):
        check(*maskprep("inspect", OUT, "--origin", f"{SOURCE}:{line}")[1:])
    check(*maskprep("inspect", SOURCE, "--rows", ":40", "--config", "config.yaml")[1:])


def test_pages_hold_no_markup_of_the_data(built, place, maskprep):
    for target, more in ((OUT, []), (SOURCE, ["--config", "config.yaml"])):
        code, stdout, stderr = maskprep("inspect", target, "--html", f"{NAME}.html", *more)
        assert code == 0, stderr
        check(stdout, stderr)
        check_page(place / f"{NAME}.html")
    check_page(place / OUT / "maskprep" / "report.html")


def check_page(path):
    text = path.read_text("utf-8")
    check(text)
    assert "<script>alert" not in text
    assert "<img" not in text


def test_a_probe(built, place, maskprep):
    for words in ([], [SOURCE], ["--json"], [SOURCE, "--json"]):
        code, stdout, stderr = maskprep("probe", f"tokenizer {NAME}", *words)
        assert code == 0, stderr
        check(stdout, stderr)
    (place / "broken.jinja").write_text("{% " + EVIL + " %}", encoding="utf-8")
    (place / "raises.jinja").write_text("{{ raise_exception(" + json.dumps(EVIL) + ") }}", encoding="utf-8")
    for template in ("broken.jinja", "raises.jinja", NAME, f"{NAME}.jinja"):
        code, stdout, stderr = maskprep("probe", TOKENIZER, "--chat-template", template, SOURCE)
        check(stdout, stderr)


@pytest.mark.parametrize("profile", ["trl", "llamafactory", "together"])
def test_an_export(built, maskprep, profile):
    code, stdout, stderr = maskprep("export", OUT, "--profile", profile, "--output", f"{profile} {NAME}")
    assert code == 0, (stdout, stderr)
    check(stdout, stderr)


def test_a_verification(built, place, maskprep):
    pytest.importorskip("torch")
    code, stdout, stderr = maskprep("verify", OUT, "--rows", "3", "--html", f"{NAME}.html")
    assert code == 0, stderr
    check(stdout, stderr)
    check_page(place / f"{NAME}.html")
    # Damaged by a stranger, so that every check has something to say.
    path = place / OUT / "maskprep" / "manifest.json"
    facts = json.loads(path.read_text("utf-8"))
    facts["shards"][0]["file"] = facts["fingerprint"] = facts["shards"][0]["first"]["file"] = EVIL
    facts["stop_tokens"] = [EVIL]
    path.write_text(json.dumps(facts), encoding="utf-8")
    (place / OUT / f"{NAME}.arrow").write_bytes(EVIL.encode())
    for more in ([], ["--json"]):
        code, stdout, stderr = maskprep("verify", OUT, "--rows", "3", "--html", "v.html", *more)
        assert code == 1
        check(stdout, stderr)
    check_page(place / "v.html") if (place / "v.html").exists() else None


WRONG = [
    ["build", NAME, "--tokenizer", TOKENIZER, "--output", "o"],
    ["build", "rows.jsonl", "--tokenizer", NAME, "--output", "o"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "rows.jsonl"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--set", f"{NAME}=1"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--set", f"history={NAME}"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--set", f"columns.{NAME}=x"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--set", f"now={NAME}"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--set", f"stop_tokens=[{json.dumps(NAME)}]"],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--max-length", NAME],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", "--engine", NAME],
    ["build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "o", f"--{NAME}"],
    ["build", "--config", NAME],
    ["build", "--config", "evil.yaml"],
    ["build", f"hf:{NAME}", "--tokenizer", TOKENIZER, "--output", "o"],
    ["build", "hf:rows/rows:x" + NAME, "--tokenizer", TOKENIZER, "--output", "o"],
    ["build", f"*{NAME}*", "--tokenizer", TOKENIZER, "--output", "o"],
    ["build", f"{NAME}.csv", "--tokenizer", TOKENIZER, "--output", "o"],
    ["build", f"{NAME}.parquet", "--tokenizer", TOKENIZER, "--output", "o"],
    ["inspect", NAME],
    ["inspect", f"{NAME}.folder"],
    ["inspect", "rows.jsonl", "--row", NAME],
    ["verify", NAME],
    ["verify", NAME, "--html", f"no/such/{NAME}"],
    ["probe", NAME],
    ["export", NAME, "--profile", "trl", "--output", "o"],
    ["export", NAME, "--profile", NAME, "--output", "o"],
    [NAME],
]


@pytest.mark.parametrize("words", WRONG, ids=range(len(WRONG)))
def test_every_wrong_use(place, maskprep, words):
    (place / "rows.jsonl").write_text(json.dumps(chat("a", "b")))
    (place / "evil.yaml").write_text(f"x: [\x1b[31m{EVIL}")
    (place / f"{NAME}.csv").write_text(f"{EVIL},{EVIL}\n1,2\n".replace("\r", ""))
    (place / f"{NAME}.parquet").write_text(EVIL)
    (place / f"{NAME}.folder").mkdir()
    (place / f"{NAME}.folder" / "state.json").write_text(json.dumps({"_data_files": [{"filename": EVIL}]}))
    code, stdout, stderr = maskprep(*words)
    assert code == 2
    check(stdout, stderr)
    if "--json" not in words and words[0] in {"build", "inspect", "probe"}:
        code, stdout, stderr = maskprep(*words, "--json")
        check(stdout, stderr)
