"""Where turns end and where generation does: told once where they differ, with a way out; silent where they agree."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from builds import chat, run
from bundled import TOKENIZER
from transformers import AutoTokenizer

from maskprep.dataset.stops import eos_of, ids_missing_in_model, notes_of

END, TEXT = {"token": "<|im_end|>", "id": 7}, {"token": "<|endoftext|>", "id": 5}
CALL = {"token": "<|call|>", "id": 9}


def stops(trained, eos=None, file=()):
    names = {each["id"]: each for each in (*([eos] if eos else []), *file)}
    origins = lambda each: [*(["eos_token"] if each == eos else []), *(["generation_config.json"] * (each in file))]  # noqa: E731
    return {
        "trained": [{**each, "turns": turns} for each, turns in trained],
        "generation": [{**each, "from": origins(each)} for each in names.values()],
    }


@pytest.mark.parametrize(
    ("found", "eos_from", "noted", "eos", "model"),
    [
        # The eos token ends turns: nothing is to be done.
        (stops([(END, 3)], eos=END), "tokenizer", False, None, []),
        # It does not, but the model's generation_config.json names what does (Gemma).
        (stops([(END, 3)], eos=TEXT, file=[TEXT, END]), "tokenizer", False, None, []),
        # Neither does (base models).
        (stops([(END, 3)], eos=TEXT), "tokenizer", True, "<|im_end|>", [7, 5]),
        (stops([(END, 3)], eos=TEXT, file=[TEXT]), "tokenizer", True, "<|im_end|>", [7, 5]),
        (stops([(END, 3)]), "nowhere", True, "<|im_end|>", [7]),
        # The configuration mended the tokenizer; the model's files do not know it yet.
        (stops([(END, 3)], eos=END), "configuration", False, None, [7]),
        (stops([(END, 3)], eos=END, file=[TEXT]), "configuration", False, None, [7, 5]),
        (stops([(END, 3)], eos=END, file=[END]), "configuration", False, None, []),
        # Calls end with another token than answers: the eos token is right as it is, and not enough.
        (stops([(CALL, 9), (END, 3)], eos=END), "tokenizer", True, None, [9, 7]),
        (stops([(CALL, 9), (END, 3)], eos=END, file=[END, CALL]), "tokenizer", False, None, []),
        # No stop token is trained: nothing is known.
        (stops([], eos=TEXT), "tokenizer", False, None, []),
    ],
)
def test_what_is_told_and_what_mends_it(found, eos_from, noted, eos, model):
    notes = notes_of(found)
    assert bool(notes) == noted
    assert eos_of(found) == eos
    assert ids_missing_in_model(found, eos_from) == model
    if noted:
        assert f"of the model hold {model}" in notes[0]["hint"]
        assert ("tokenizer.eos_token: '<|im_end|>'" in notes[0]["hint"]) == (eos is not None)


def base(place, *, generation=None):
    """Return a tokenizer whose eos token is not the one that ends turns."""
    folder = place / "base"
    shutil.copytree(TOKENIZER, folder)
    stored = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**stored, "eos_token": "<|endoftext|>"}), "utf-8")
    if generation is not None:
        ids = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(generation)
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}), "utf-8")
    return folder


ROWS = (chat("One?", "First.", "Two?", "Second."), chat("Three?", "Third."))


def ids_of(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>")]


def test_a_base_model_is_told_once_and_the_trainer_is(build, source, place):
    folder = base(place)
    end, text = ids_of(folder)
    outcome = build(source(*ROWS), "--output", "out", "--json", tokenizer=folder)
    assert outcome.code == 0, outcome
    assert outcome.json["stops"] == {
        "trained": [{"token": "<|im_end|>", "id": end, "turns": 3}],
        "generation": [{"token": "<|endoftext|>", "id": text, "from": ["eos_token"]}],
    }
    (note,) = outcome.json["notes"]
    assert "<|im_end|> (3 of them)" in note["message"]
    assert "eos_token is <|endoftext|>" in note["message"]
    assert f"[{end}, {text}, *known]" in outcome.json["trainer"]["settings"]
    manifest = json.loads((place / "out" / "maskprep" / "manifest.json").read_text("utf-8"))
    assert manifest["notes"] == outcome.json["notes"]
    shown = build(source(*ROWS), "--output", "out", "--overwrite", tokenizer=folder).stdout
    assert shown.count("note: ") == 1
    assert "set tokenizer.eos_token: '<|im_end|>'" in shown


def test_the_setting_that_is_advised_mends_it(build, source, place):
    folder = base(place)
    end, _ = ids_of(folder)
    options = ("--set", "tokenizer.eos_token=<|im_end|>")
    outcome = build(source(*ROWS), "--output", "out", "--json", *options, tokenizer=folder)
    assert outcome.json["notes"] == []
    assert outcome.json["vocabulary"]["eos_token"] == "<|im_end|>"
    assert outcome.json["vocabulary"]["eos_from"] == "configuration"
    assert outcome.json["config"]["tokenizer"]["eos_token"] == "<|im_end|>"
    assert AutoTokenizer.from_pretrained("out/tokenizer").eos_token == "<|im_end|>"
    # The model's own files still name the old one.
    assert f"[{end}, *known]" in outcome.json["trainer"]["settings"]
    assert run("verify", "out", "--device", "cpu", "--json").code == 0
    shown = build(source(*ROWS), "--output", "out", "--overwrite", *options, tokenizer=folder).stdout
    assert "the tokenizer's eos_token is <|im_end|>, as configured" in shown
    assert "note: " not in shown


def test_no_alarm_where_a_generation_config_names_the_real_end(build, source, place):
    folder = base(place, generation=["<|endoftext|>", "<|im_end|>"])
    outcome = build(source(*ROWS), "--output", "out", "--json", tokenizer=folder)
    assert outcome.json["notes"] == []
    assert "generation_config" not in outcome.json["trainer"]["settings"]


def test_no_alarm_where_the_eos_token_ends_turns(build, source):
    outcome = build(source(*ROWS), "--output", "out", "--json")
    assert outcome.json["notes"] == []
    assert "eos_token" not in outcome.json["trainer"]["settings"]
    assert outcome.json["vocabulary"]["eos_from"] == "tokenizer"


def test_an_export_tells_the_same(build, source, place):
    folder = base(place)
    assert build(source(*ROWS), "--output", "out", tokenizer=folder).code == 0
    words = ["export", "out", "--output", "exported", "--profile", "axolotl", "--json"]
    told = run(*words).json
    assert len(told["notes"]) == 1
    assert yaml.safe_load(told["trainer"]["settings"])["special_tokens"] == {"eos_token": "<|im_end|>"}
    again = run(*words[:-1], "--overwrite")
    assert again.stdout.count("note: ") == 1


def test_an_unknown_eos_token_is_refused_before_anything_is_read(build, source):
    outcome = build(source(*ROWS), "--output", "out", "--set", "tokenizer.eos_token=<|imend|>")
    assert outcome.code == 2
    assert "did you mean '<|im_end|>'" in outcome.stderr + outcome.stdout
