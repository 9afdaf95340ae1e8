"""Settings to paste: they say what they are told, and text stays text."""

from __future__ import annotations

import ast
import shlex
import subprocess
from dataclasses import replace

import pytest
import yaml
from batches import LAYOUTS
from hypothesis import given
from hypothesis import strategies as st

from maskprep.profiles import PROFILES, Handover
from maskprep.profiles.quoting import quoted, shell_quoted

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
                    profile.settings(replace(handed, weighted=layout.weighted, packed=layout.packed)),
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
