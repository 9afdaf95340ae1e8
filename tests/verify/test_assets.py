"""No false alarm with real tokenizers, and a real clock; a few rows of each, whichever assets are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from planting import build, conversations, plant, verified, without_model

pytestmark = pytest.mark.assets

ASSETS = Path(os.environ.get("MASKPREP_ASSETS", "nowhere"))
BUILDS = [
    *(("qwen3", "split"), ("qwen3", "rendered"), ("qwen2_5", "mask"), ("llama3_1", "split")),
    *(("gemma3", "split"), ("gptoss", "split"), ("gptoss", "rendered")),
]


def _built(name, history, tmp_path):
    folder = ASSETS / "tokenizers" / name
    if not folder.is_dir():
        pytest.skip(f"no tokenizer {name}")
    rows = list(conversations())[name == "gemma3" :]  # its template takes no tool calls
    return build(tmp_path, rows, tokenizer=folder, options=["--history", history])


@pytest.mark.parametrize(("name", "history"), BUILDS)
def test_real_tokenizers_give_no_false_alarm(name, history, tmp_path):
    found = without_model(_built(name, history, tmp_path))
    assert [str(result.verdict) for result in found.values()] == ["passed"] * 3, found


def test_a_large_vocabulary_goes_through_the_model_in_pieces(tmp_path):
    found = verified(_built("qwen2_5", "split", tmp_path), rows="2")
    assert {check for check, result in found.items() if result.verdict == "failed"} == set(), found


def test_a_stop_token_masked_in_a_real_build_is_named(tmp_path):
    def mask_stop(rows):
        for row in rows:
            for span in row["spans"]:
                if span["part"] == "stop":
                    span["trained"] = False
                    row["labels"][span["start"] : span["end"]] = [-100] * (span["end"] - span["start"])

    folder = plant(_built("qwen2_5", "split", tmp_path), tmp_path / "planted", mask_stop)
    found = without_model(folder, rows="2")
    assert found["source"].verdict == "failed"
    assert found["files"].verdict == "passed"


def test_a_gguf_file_is_tokenizer_and_model(tmp_path):
    files = sorted(ASSETS.glob("smollm2/*.gguf"))
    if not files:
        pytest.skip("no GGUF file")
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    folder = build(tmp_path, list(conversations())[1:3], tokenizer=files[0])
    found = verified(folder, model=str(files[0]))
    assert {check for check, result in found.items() if result.verdict == "failed"} == set(), found
    assert found["padding"].figures["pad"] == "<|im_end|> (eos)"
    places = {place["offset"]: place["nll"] for place in found["model"].facts["around_the_border"]}
    assert max(places[-1], places[-2]) < 0.1 < places[0]
