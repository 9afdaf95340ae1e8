"""A small build of the bundled sample, and a tiny model with random weights: nothing comes from a network."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pytest
import torch
from building import built
from bundled import CONVERSATIONS

from maskprep.dataset.pack_rows import packed_batch
from maskprep.dataset.packing import pack
from maskprep.dataset.schema import with_optional

LONGEST = 1024


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    """Work in a new folder, on one core, whatever trainers warn of or write about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """The folder of a build of the sample, and its rows."""
    folder = tmp_path_factory.mktemp("built") / "out"
    return folder, built(folder, CONVERSATIONS, "--max-rejects", "0.2")


@pytest.fixture(scope="session")
def rows(build):
    """Return our rows, by layout."""
    plain = build[1]
    weighted = with_optional(plain, ["loss_weights"])
    weights = weighted.column("loss_weights")
    values = weights.values.to_numpy()
    changed = pa.array(values * np.resize(np.float32([1, 0.5, 3]), len(values)))
    weighted = weighted.set_column(4, "loss_weights", pa.ListArray.from_arrays(weights.offsets, changed))
    lengths = np.diff(plain.column("input_ids").offsets.to_numpy())
    packs = pack(lengths, LONGEST)
    order, counts = pa.array(packs.order), np.diff(packs.offsets)
    return {
        (False, False): plain,
        (True, False): weighted,
        (False, True): packed_batch(plain.take(order), counts),
        (True, True): packed_batch(weighted.take(order), counts),
    }


@pytest.fixture(scope="session")
def tokenizer(build):
    """The folder of the tokenizer of the build."""
    return str(build[0] / "tokenizer")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a tiny Llama whose tokens depend much on those before them."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=2500,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
        dtype="float32",
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)
