"""Processes that only prepare rows do without pandas and torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bundled import CONVERSATIONS, TOKENIZER

PANDAS = """
import sys
import numpy as np
import pyarrow as pa
from maskprep.light_imports import spare_pandas

spare_pandas()
assert pa.array(["a"]).to_pylist() == ["a"]
assert pa.array(np.arange(3)).to_numpy().tolist() == [0, 1, 2]
assert "pandas" not in sys.modules, "it was imported all the same"

import pandas
assert pa.table({"a": [1, 2]}).to_pandas()["a"].tolist() == [1, 2]
assert pa.array(pandas.Series([1, None])).null_count == 1
spare_pandas()
"""


TORCH = """
import sys
from maskprep.light_imports import spare_torch

spare_torch()
from maskprep.tokenizer.load import load_tokenizer

loaded = load_tokenizer(sys.argv[1])
assert loaded.tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
assert "torch" not in sys.modules, "it was imported all the same"

from datasets import load_dataset

assert [*load_dataset("json", data_files=sys.argv[2], streaming=True, split="train")] == [{"a": 1}]
"""

BUILD = """
import atexit
import sys
from maskprep.cli import main

atexit.register(lambda: print("torch:", sys.modules.get("torch")))
main()
"""


def run(script, *words):
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.long
def test_arrays_are_made_without_pandas_and_with_it_once_it_is_wanted():
    run(PANDAS)


@pytest.mark.long
def test_a_tokenizer_is_loaded_without_torch_and_without_a_word_about_it(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "rows.jsonl").write_text('{"a": 1}', encoding="utf-8")
    assert run(TORCH, str(TOKENIZER), str(tmp_path / "rows.jsonl")) == ""


def test_a_build_goes_without_torch(tmp_path):
    words = ["build", str(CONVERSATIONS), "--output", str(tmp_path / "out")]
    words += ["--tokenizer", str(TOKENIZER), "--max-rejects", "1"]
    done = subprocess.run([sys.executable, "-c", BUILD, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "torch: None" in done.stdout


NAMES = """
import importlib, sys
from maskprep.light_imports import import_transformers, spare_torch

spare_torch()
import_transformers(torch=False)
import transformers
from transformers.models.auto.tokenization_auto import AutoTokenizer, TOKENIZER_MAPPING_NAMES

unread = transformers._unread
assert transformers.AutoTokenizer is AutoTokenizer and transformers._unread is None, "read when a name asked for it"
assert "AutoTokenizer" in dir(transformers) and "LlamaConfig" in transformers.__all__
transformers._unread = unread
transformers.__dict__.pop("__all__")
assert "LlamaForCausalLM" in transformers.__all__, "all names are those of models, too"
for name in sorted({name for name in TOKENIZER_MAPPING_NAMES.values() if name}):
    from maskprep.light_imports import _tokenizer_class
    found = _tokenizer_class(name)
    assert found in (None, getattr(transformers, name)), name
try:
    transformers.no_such_name
except AttributeError:
    pass
else:
    raise AssertionError("a name that nobody defines")
assert "torch" not in sys.modules
"""


@pytest.mark.long
def test_transformers_knows_all_its_names_though_it_has_not_looked_into_its_models():
    run(NAMES)
