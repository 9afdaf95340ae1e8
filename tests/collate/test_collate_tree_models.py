"""A model gives trees the loss of their sequences, whatever its attention and its windows."""

from __future__ import annotations

import pytest
import torch
from exact import throughout
from grown import LAYERS, SHAPE, TREE, TREES, make_tree, one_by_one, packed, plain, summed
from transformers import (
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)
from transformers.models.auto import AutoModelForCausalLM

from maskprep.collate import TreeCollator

WINDOW = 6
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}


def make(config, attention, dtype=torch.float32):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention, experts_implementation="eager").to(
        dtype
    )


CONFIGS = {
    "llama": (LlamaConfig, {}),
    "qwen3": (Qwen3Config, {}),
    "mistral": (MistralConfig, {"sliding_window": WINDOW}),
    "qwen2": (Qwen2Config, {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 2}),
    "qwen3_moe": (Qwen3MoeConfig, {"use_sliding_window": True, "sliding_window": WINDOW, **EXPERTS}),
    "gemma3": (Gemma3TextConfig, {"layer_types": LAYERS, "sliding_window": WINDOW, "query_pre_attn_scalar": 8}),
    "gpt_oss": (GptOssConfig, {"layer_types": LAYERS, "sliding_window": WINDOW, "num_local_experts": 4}),
}
MIXED = [TREES[0], plain(TREES[1]), TREES[2]]
ROWS = [(TREES, TREES), ([packed(*TREES)], TREES), ([packed(*MIXED[:2]), MIXED[2]], MIXED)]
"""Rows of a batch, and the documents in them."""


def same(model, rows, documents, several):
    batch = TreeCollator(model.config, length=112, dtype=torch.float64)(rows)
    assert isinstance(batch["attention_mask"], dict) == several
    model.zero_grad()
    alone = one_by_one(model, documents)
    alone.backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    loss = summed(model, batch)
    loss.backward()
    assert loss.item() == pytest.approx(alone.item(), rel=1e-12)
    for weight, value in model.named_parameters():
        if weight in expected:
            assert torch.allclose(value.grad, expected[weight], rtol=1e-9, atol=1e-9), weight


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_of_trees_is_that_of_their_sequences(name, attention):
    if (name, attention) == ("gpt_oss", "sdpa"):
        pytest.skip("transformers has no sdpa for gpt-oss")
    kind, more = CONFIGS[name]
    model = make(kind(**SHAPE, **more), attention, torch.float64)
    several = len(set(getattr(model.config, "layer_types", None) or [0])) > 1
    with throughout(torch.float64):
        for rows, documents in ROWS:
            same(model, rows, documents, several)


@pytest.mark.parametrize("name", ["mistral", "gemma3"])
def test_a_mask_without_the_window_is_another_loss(name):
    kind, more = CONFIGS[name]
    model = make(kind(**SHAPE, **more), "sdpa")
    with torch.no_grad():
        alone = one_by_one(model, TREES)
        assert abs(summed(model, TreeCollator(model.config)(TREES)) - alone) < 1e-3
        assert abs(summed(model, TreeCollator(attention="sdpa")(TREES)) - alone) > 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.long
@pytest.mark.parametrize("name", ["llama", "qwen3", "mistral", "gemma3"])
def test_flex_attention_has_the_same_loss(name):
    """On the CPU it has no gradient, no float64, and of torch 2.13 no second shape: the C++ code does not compile."""
    kind, more = CONFIGS[name]
    model = make(kind(**SHAPE, **more), "flex_attention")
    rows = [make_tree((0, 300), (100, 150), (200, 60), seed=4), *TREES]
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        alone = one_by_one(model, rows)
        model.set_attn_implementation("flex_attention")
        for batch in (rows, [packed(*rows)]):
            torch._dynamo.reset()
            loss = summed(model, TreeCollator(model.config)(batch))
            assert loss.item() == pytest.approx(alone.item(), rel=1e-5)


def test_no_token_changes_when_another_branch_does():
    model = make(LlamaConfig(**SHAPE), "sdpa", torch.float64).eval()
    collate = TreeCollator(model.config)
    other = {**TREE, "input_ids": [1, 2, 8, 8, 8, 2, 6, 7]}
    with torch.no_grad():
        one, two = (model(**{**collate([row]), "labels": None}).logits[0] for row in (TREE, other))
    assert torch.equal(one[[0, 1, 5, 6, 7]], two[[0, 1, 5, 6, 7]])
    assert not torch.allclose(one[4], two[4])
