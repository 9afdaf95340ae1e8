"""A tokenizer as it is loaded: the same one, whatever it has done since."""

from __future__ import annotations

import json
import shutil

import pytest
from bundled import TOKENIZER

from maskprep.tokenizer.load import load_tokenizer


@pytest.fixture
def cutting(tmp_path):
    """A tokenizer whose file says that it cuts and pads what it encodes."""
    folder = shutil.copytree(TOKENIZER, tmp_path / "cutting")
    stored = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    stored["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    stored["padding"] = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": "!"}
    stored["padding"]["pad_to_multiple_of"] = None
    (folder / "tokenizer.json").write_text(json.dumps(stored), "utf-8")
    return folder


def test_truncation_and_padding_of_its_file_are_not_part_of_a_tokenizer(cutting):
    plain, loaded = load_tokenizer(str(TOKENIZER)), load_tokenizer(str(cutting))
    before = loaded.digest()
    text = "Far more than four tokens of text."
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > 4
    assert ids == plain.tokenizer(text, add_special_tokens=False)["input_ids"]
    # Before or after something was encoded, here or in another process.
    assert before == load_tokenizer(str(cutting)).digest() == plain.digest()


def test_what_a_generation_config_names_is_told_apart_from_the_eos_token(tmp_path):
    folder = shutil.copytree(TOKENIZER, tmp_path / "served")
    plain = load_tokenizer(str(folder))
    assert plain.generation_stops == ()
    number = plain.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [number, 10**6]}), "utf-8")
    loaded = load_tokenizer(str(folder), ["<think>"])
    assert loaded.generation_stops == ("<|endoftext|>",)
    assert loaded.stop_tokens == ("<|im_end|>", "<|endoftext|>", "<think>")
