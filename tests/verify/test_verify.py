"""``maskprep verify`` on the command line: exit codes, JSON, the page, what it refuses."""

from __future__ import annotations

import json
import re
from functools import partial

import builds
import pytest
from builds import chat, jsonl


@pytest.fixture
def run():
    """Run ``maskprep verify``."""
    return partial(builds.run, "verify")


@pytest.fixture
def built(build, source):
    name = source(chat("Hi", "Hello there."), chat("Who are you?", "A program.", "Since when?", "Since 2020."))
    assert build(name, "--output", "out").code == 0
    return "out"


def test_a_sound_build(run, built):
    outcome = run(built, "--device", "cpu")
    assert outcome.code == 0
    assert "maskprep verify: 6 passed, 4 skipped (packing, tree, learning, model)" in outcome.stdout
    assert "not packed: nothing to check" in outcome.stdout
    assert "a random Llama of" in outcome.stdout
    assert not outcome.stderr


def source_check(outcome):
    [found] = [check for check in outcome["checks"] if check["check"] == "source"]
    return found


def test_a_relative_source_is_found_wherever_the_command_runs(run, built, place, monkeypatch):
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert source_check(run("../out", "--json").json)["verdict"] == "passed"
    manifest = (place / "out" / "maskprep" / "manifest.json").read_text("utf-8")
    assert json.loads(manifest)["sources_from"] == ".."
    assert str(place) not in manifest


def test_a_build_and_its_source_may_be_moved_together_and_a_build_alone_back_to_its_source(run, built, place):
    (place / "moved").mkdir()
    (place / "out").rename(place / "moved" / "out")
    (place / "rows.jsonl").rename(place / "moved" / "rows.jsonl")
    assert source_check(run("moved/out", "--json").json)["verdict"] == "passed"
    (place / "moved" / "rows.jsonl").rename(place / "rows.jsonl")
    assert source_check(run("moved/out", "--json").json)["verdict"] == "passed"


def test_a_source_that_is_gone_is_said_in_the_verdict(run, built, place):
    (place / "rows.jsonl").unlink()
    outcome = run("out")
    assert outcome.code == 0
    said = f"5 passed, 5 skipped (source not found at {place / 'rows.jsonl'}; packing, tree, learning, model)"
    assert said in outcome.stdout
    assert run("out", "--json").json["passed"]


def test_json_is_one_object(run, built):
    facts = run(built, "--json", "--learn", 2, "--rows", "all", "--seed", 3).json
    assert facts["passed"] is True
    assert [check["check"] for check in facts["checks"]] == [
        *("files", "structure", "source", "loss", "gradient", "padding", "packing", "tree", "learning", "model")
    ]
    assert {"device", "dtype", "model", "tokens_per_second", "peak_memory_bytes", "seconds"} <= facts["run"].keys()
    loss = facts["checks"][3]
    assert {"loss", "loss_without_mask", "worst_difference", "tolerance"} <= loss["figures"].keys()
    assert {entry["role"] for entry in loss["facts"]["by_role"]} == {"assistant", "template", "user"}
    assert {entry["part"] for entry in loss["facts"]["by_part"]} == {"content", "scaffold", "stop"}
    learning = facts["checks"][8]
    assert len(learning["facts"]["trained"]) == 3


def test_a_failed_check_ends_with_1_and_says_what_to_do(run, built, place):
    manifest = place / "out" / "maskprep" / "manifest.json"
    facts = json.loads(manifest.read_bytes())
    facts["totals"]["tokens"] += 1
    manifest.write_text(json.dumps(facts))
    outcome = run(built)
    assert outcome.code == 1
    assert "maskprep verify: failed: files" in outcome.stdout
    assert "what to do: copy the folder again" in outcome.stdout
    assert run(built, "--json").json["passed"] is False


def test_the_page_draws_the_curves_and_runs_nothing_but_our_own(run, built, place):
    assert run(built, "--html", "page.html", "--learn", 2).code == 0
    page = (place / "page.html").read_text("utf-8")
    assert page.count('<svg class="curve"') == 2
    policy = re.search(r"script-src ([^;]*);", page)[1].split()
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", source) for source in policy)
    assert page.count("<script>") == len(policy)
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=", page)


def test_the_loss_with_the_mask_stands_beside_the_one_without_it_and_once(run, built, place):
    _save_model(place / "model", 2_500)
    outcome = run(built, "--model", "model", "--html", "page.html", "--device", "cpu")
    assert re.fullmatch(
        r"on the CPU, the first row took [\d.]+ s \(\d+ tokens\): 2 rows of \d+ tokens take about \d+ s "
        r"\(no further row is begun after 60 s\); --rows N runs N\n",
        outcome.stderr,
    )
    words = [line.split() for line in outcome.stdout.splitlines()]
    [total] = [line for line in words if line[:1] == ["all"]]
    facts = run(built, "--model", "model", "--json").json["checks"][3]["figures"]
    assert total[2::2] == [f"{facts['loss']:.3f}", f"{facts['loss_without_mask']:.3f}"]
    assert sum(line[:2] == ["assistant", "content"] for line in words) == 1
    assert (place / "page.html").read_text("utf-8").count("<td>assistant</td><td>content</td>") == 1


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(run, built, place):
    for name in ("nowhere/page.html", str(place)):
        outcome = run(built, "--html", name)
        assert outcome.code == 2
        assert "no file can be written there" in outcome.stderr
        assert not outcome.stdout


def test_nothing_of_the_data_is_markup(run, build, place):
    name = "<img src=x onerror=alert(1)>.jsonl"
    (place / name).write_bytes(jsonl(chat("Hi", "Hello there.")))
    assert build(name, "--output", "<b>out").code == 0
    (place / name).unlink()
    outcome = run("<b>out", "--html", "page.html")
    assert outcome.code == 0
    page = (place / "page.html").read_text("utf-8")
    assert "<img" not in page
    assert "<b>out" not in page
    assert "&lt;img src=x" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "0"], "--rows 0: must be a number of rows, or all"),
        (["--rows", "some"], "--rows some: must be a number of rows, or all"),
        (["--learn", "-1"], "--learn -1: must be 0 or a number"),
        (["--device", "tpu"], "--device tpu: must be auto, cpu, cuda or mps"),
        (["--model", "nowhere/at/all"], "no model can be loaded from 'nowhere/at/all'"),
    ],
)
def test_what_is_refused(run, built, words, said):
    outcome = run(built, *words)
    assert outcome.code == 2
    assert said in outcome.stderr
    assert not outcome.stdout


def test_a_folder_that_is_no_build(run, place):
    (place / "empty").mkdir()
    outcome = run("empty")
    assert outcome.code == 2
    assert "is no finished build of maskprep" in outcome.stderr


def test_without_torch_it_says_how_to_get_it(run, built, monkeypatch):
    monkeypatch.setattr("maskprep.verify.options.find_spec", lambda name: None)
    outcome = run(built)
    assert outcome.code == 2
    assert "verify needs torch" in outcome.stderr
    assert "pip install 'maskprep[verify]'" in outcome.stderr


def test_a_model_with_too_few_ids_is_refused(run, built, place):
    _save_model(place / "small", 100)
    outcome = run(built, "--model", "small")
    assert outcome.code == 2
    assert "has 100 ids, the data set holds" in outcome.stderr


def test_a_model_from_a_folder_gives_the_table(run, built, place):
    _save_model(place / "model", 2_500)
    facts = run(built, "--model", "model", "--json").json
    assert facts["passed"]
    table = facts["checks"][-1]
    assert table["check"] == "model"
    assert table["verdict"] == "passed"
    assert table["facts"]["around_the_border"][0]["offset"] == -5
    assert "around the prompt/completion boundary" in run(built, "--model", "model").stdout


def _save_model(folder, vocabulary):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
