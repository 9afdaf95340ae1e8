"""What the settings are filled in with: a finished data set, and nothing that its trainer need not be told."""

from __future__ import annotations

import pytest
import yaml

from maskprep.dataset.handover import hand_over
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.schema import Layout

PLAIN = Layout()
WORDS = {
    "added": 0,
    "added_special": 0,
    "size": 100,
    "rounded_size": 100,
    "pad_token": "<pad>",
    "pad_from": "tokenizer",
}


def manifest(profile="axolotl", *, packing=None, max_length=None, split=0.0, **words):
    config = {"profile": profile, "packing": packing, "max_length": max_length, "split": split}
    return {"config": config, "vocabulary": {**WORDS, **words}, "totals": {"longest_sequence": 300}}


def settings(told, layout=PLAIN):
    return hand_over("/data/out", told, layout)["settings"]


def test_rows_are_as_long_as_they_may_be_for_a_trainer_that_packs():
    assert yaml.safe_load(settings(manifest()))["sequence_len"] == 300
    assert yaml.safe_load(settings(manifest(max_length=512)))["sequence_len"] == 512
    packed = manifest("megatron", packing={"length": 1024})
    assert "seq_length=1024," in settings(packed, Layout(packed=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, False),
        ({"added": 2, "size": 102, "rounded_size": 102}, True),
        ({"added_special": 1, "size": 101, "rounded_size": 128}, True),
        ({"rounded_size": 128}, True),
    ],
)
def test_a_vocabulary_that_grew_is_told(words, said):
    found = settings(manifest("trl", **words))
    assert (f"    model.resize_token_embeddings({words.get('rounded_size')})\n" in found) == said
    compile(found, "settings", "exec")


@pytest.mark.parametrize(("origin", "said"), [("tokenizer", False), ("eos_token", False), ("added", True)])
def test_a_pad_token_that_was_chosen_is_told(origin, said):
    assert ("special_tokens" in yaml.safe_load(settings(manifest(pad_from=origin)))) == said


@pytest.mark.parametrize("profile", PROFILES)
def test_where_generation_must_stop_is_told_and_only_where_it_would_not(profile):
    known = {"token": "<end>", "id": 7, "from": ["eos_token"]}
    other = {"token": "<text>", "id": 5, "from": ["eos_token"]}
    trained = [{"token": "<end>", "id": 7, "turns": 3}]
    plain = settings(manifest(profile))
    assert settings({**manifest(profile), "stops": {"trained": trained, "generation": [known]}}) == plain
    told = settings({**manifest(profile), "stops": {"trained": trained, "generation": [other]}})
    assert "[7, 5" in told or '["<end>"]' in told
    assert told != plain


def test_a_folder_is_named_from_the_root_and_the_splits_are(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    told = hand_over("out", manifest("hf", split=0.1), Layout())
    assert f'load_from_disk("{tmp_path}/out")' in told["settings"]
    assert 'eval_dataset=data["validation"]' in told["settings"]
    assert (told["name"], told["language"]) == ("transformers.Trainer", "python")
