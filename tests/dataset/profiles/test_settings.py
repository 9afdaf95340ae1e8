"""Settings to paste: they say what they are told, and text stays text."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
import types
from dataclasses import replace

import pytest
import yaml
from batches import LAYOUTS
from hypothesis import given
from hypothesis import strategies as st

from maskprep.dataset.handover import settings_text
from maskprep.dataset.profiles import PROFILES, Handover
from maskprep.dataset.profiles.quoting import quoted, shell_quoted

HANDED = Handover(folder="/data/out", tokenizer="/data/out/tokenizer", max_length=4096)
HOSTILE = "x\"'\\\n  - $(boom)`boom` #\u202e\U0001f600\x1b[31m: {%"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def all_settings(handed):
    for name, profile in PROFILES.items():
        for layout in LAYOUTS:
            if profile.refuses(layout) is None:
                yield (
                    name,
                    profile,
                    layout,
                    profile.settings(
                        replace(handed, weighted=layout.weighted, packed=layout.packed, trees=layout.trees)
                    ),
                )


@given(TEXT)
def test_quoted_text_is_what_python_and_yaml_read(text):
    assert ast.literal_eval(quoted(text)) == text
    assert yaml.safe_load(quoted(text)) == text
    assert quoted(text).isascii()
    assert quoted(text).isprintable()


@pytest.mark.parametrize("text", ["plain", "it's", HOSTILE, "", "a b\tc", "ü'"])
def test_a_shell_reads_the_word(text):
    word = shell_quoted(text)
    assert word.isascii()
    assert word.isprintable()
    found = subprocess.run(
        ["bash", "-c", f"printf %s {word}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert found.stdout.decode() == text


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("text", ["/data/out", HOSTILE])
def test_settings_are_of_their_language_and_name_the_folder(text, divided):
    handed = replace(HANDED, folder=text, tokenizer=text, model=text, pad_token=text, divided=divided)
    handed = replace(handed, eos_token=text, ends=(text,), stops=(7, 5))
    for name, profile, _, settings in all_settings(handed):
        assert settings.isascii()
        assert settings.endswith("\n")
        assert settings.replace("\n", "").isprintable()
        match profile.language:
            case "python":
                constants = [node.value for node in ast.walk(ast.parse(settings)) if isinstance(node, ast.Constant)]
                assert text in constants or f"{text}/train" in constants
            case "yaml":
                values = yaml.safe_load(settings)
                given_path = values["datasets"][0]["path"] if name == "axolotl" else values["tokenized_path"]
                assert given_path == text
            case "bash":
                subprocess.run(["bash", "-n", "-c", settings], check=True)
        told = any(word in settings for word in ('["validation"]', "split: validation", "/validation", "VALIDATION"))
        assert told == (divided and name != "llamafactory")


def test_where_generation_must_stop_is_in_the_settings_of_every_trainer():
    handed = replace(HANDED, eos_token="<end>", ends=("<end>",), stops=(7, 5))
    for name, _, layout, settings in all_settings(handed):
        plain = PROFILES[name].settings(
            replace(HANDED, weighted=layout.weighted, packed=layout.packed, trees=layout.trees)
        )
        assert len(settings) > len(plain)
        if name in {"hf", "trl"}:
            lines = settings[settings.index("known =") :].partition("\n\n")[0]
            for before, after in ((None, [7, 5]), (0, [7, 5, 0]), ([5, 9], [7, 5, 9]), (7, [7, 5])):
                told = types.SimpleNamespace(eos_token_id=before)
                exec(lines, {"model": types.SimpleNamespace(generation_config=told)})
                assert told.eos_token_id == after
        elif name == "together":
            assert 'stop=["<end>"]' in settings
        else:
            assert "must hold [7, 5]" in settings
        if name == "axolotl":
            assert yaml.safe_load(settings)["special_tokens"] == {"eos_token": "<end>"}


@pytest.mark.parametrize("release", ["0.4", "0.6"])
@pytest.mark.parametrize("divided", [False, True])
def test_the_settings_of_megatron_run_with_the_names_of_each_release(release, divided, monkeypatch):
    """The names and arguments are those that were read in 0.4.2, 0.5.1 and 0.6.0; others are refused here."""
    monkeypatch.setattr(sys, "modules", {**sys.modules})

    def module(name, **members):
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)

    class Specs:
        def __init__(self, *, packed_sequence_size, packed_train_data_path, packed_metadata_path, **more):
            assert set(more) == ({"packed_val_data_path"} if divided else set())
            assert (packed_sequence_size, packed_metadata_path) == (4096, "/data/out-packed.jsonl")
            assert packed_train_data_path == ("/data/out/train" if divided else "/data/out")

    def old(*, seq_length, dataset_root, packed_sequence_specs, dataset_kwargs, do_validation, do_test):
        assert (seq_length, dataset_root, do_validation, do_test) == (4096, "/data/out", divided, False)
        assert dataset_kwargs == {"answer_only_loss": True}
        return packed_sequence_specs

    def new(*, seq_length, dataset_root, enable_offline_packing, offline_packing_specs, do_validation, do_test):
        assert (seq_length, dataset_root, do_validation, do_test) == (4096, "/data/out", divided, False)
        assert enable_offline_packing
        return offline_packing_specs

    for name in ("megatron", "megatron.bridge", "megatron.bridge.data", "megatron.bridge.training"):
        module(name, __path__=[])
    if release == "0.6":
        module("megatron.bridge.data.builders", GPTSFTDatasetConfig=new)
        module("megatron.bridge.data.packing", PackedSequenceSpecs=Specs)
    else:
        module("megatron.bridge.data.builders", __path__=[])
        module("megatron.bridge.data.datasets", __path__=[])
        module("megatron.bridge.data.datasets.packed_sequence", PackedSequenceSpecs=Specs)
        module("megatron.bridge.training.config", FinetuningDatasetConfig=old)
    cfg = types.SimpleNamespace(tokenizer=types.SimpleNamespace(), train=types.SimpleNamespace())
    exec(PROFILES["megatron"].settings(replace(HANDED, packed=True, divided=divided)), {"cfg": cfg})
    assert isinstance(cfg.dataset, Specs)
    assert cfg.tokenizer.tokenizer_model == "/data/out/tokenizer"
    assert cfg.train.micro_batch_size == 1


def test_the_settings_of_megatron_name_their_releases():
    assert "0.6 and later" in PROFILES["megatron"].settings(HANDED)
    assert "0.4 and 0.5" in PROFILES["megatron"].settings(HANDED)


def test_a_shell_command_names_the_files():
    words = shlex.split(PROFILES["together"].settings(HANDED), comments=True)
    assert "/data/out/*.parquet" in words


def test_what_keeps_documents_apart_is_said():
    told = {
        (name, layout.packed): settings for name, _, layout, settings in all_settings(HANDED) if not layout.weighted
    }
    assert "padding_free=True" in told["trl", True]
    assert "padding_free" not in told["trl", False]
    assert "data_collator=default_data_collator," in told["hf", True]
    assert "data_collator=DataCollatorForSeq2Seq(tokenizer)," in told["hf", False]
    assert yaml.safe_load(told["llamafactory", True])["neat_packing"] is True
    assert "neat_packing" not in told["llamafactory", False]
    axolotl = yaml.safe_load(told["axolotl", False])
    assert axolotl["sample_packing"] is True
    assert axolotl["excess_length_strategy"] == "raise"
    assert axolotl["datasets"] == [{"path": "/data/out", "type": None}]
    assert axolotl["sequence_len"] == 4096


def test_each_has_pitfalls_and_packing_adds_some():
    for profile in PROFILES.values():
        for layout in LAYOUTS:
            if profile.refuses(layout) is None:
                found = profile.pitfalls(layout)
                assert found
                assert all(line.endswith(".") and line.isascii() for line in found)
    assert any("padding_free" in line for line in PROFILES["trl"].pitfalls(LAYOUTS[1]))
    assert any("attention_mask" in line for line in PROFILES["hf"].pitfalls(LAYOUTS[1]))
    assert any("loss_weights" in line for line in PROFILES["hf"].pitfalls(LAYOUTS[2]))


def test_the_file_of_settings_is_the_settings_behind_comments():
    for _, profile, layout, settings in all_settings(HANDED):
        pitfalls = list(profile.pitfalls(layout))
        text = settings_text({"name": profile.title, "settings": settings, "pitfalls": pitfalls})
        head, _, body = text.partition("\n\n")
        assert body.strip("\n") == settings.strip("\n")
        lines = head.split("\n")
        assert all(line.startswith("#") and len(line) <= 100 for line in lines)
        told = " ".join(line.lstrip("# ").removeprefix("- ") for line in lines)
        assert all(pitfall in told for pitfall in pitfalls)
        assert text.endswith("\n")
        if profile.language == "yaml":
            assert yaml.safe_load(text) == yaml.safe_load(settings)
