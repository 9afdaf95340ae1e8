"""What a config says about trees: the reason why not, and the window of each kind of layer."""

from __future__ import annotations

import re

import pytest

from maskprep.dataset.profiles.attention import attention_of, why_no_trees, windows

GEMMA = {"model_type": "gemma3_text", "layer_types": ["full_attention", "sliding_attention"], "sliding_window": 512}


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama"},
        {"model_type": "qwen3", "_attn_implementation": "flex_attention"},
        {"model_type": "qwen3", "use_sliding_window": False, "sliding_window": None},
        {"model_type": "mistral", "sliding_window": 4096},
        GEMMA,
        {"model_type": "gemma3", "text_config": GEMMA, "vision_config": {"conv_size": 3}},
        {**GEMMA, "use_bidirectional_attention": False},
        {"model_type": "gemma4_text", "use_bidirectional_attention": "vision"},
        {"model_type": "falcon", "alibi": False},
    ],
)
def test_models_of_attention_alone(config):
    assert why_no_trees(config) is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "mamba2", "conv_kernel": 4}, r"mamba2 has layers that are no plain attention \(conv_kernel\)"),
        ({"model_type": "new", "ssm_state_size": 4}, r"\(ssm_state_size\)"),
        ({"model_type": "jamba", "mamba_d_conv": 4}, r"\(mamba_d_conv\).*history: split"),
        ({"model_type": "qwen3_next", "layer_types": ["linear_attention", "full_attention"]}, r"\(linear_attention\)"),
        ({"model_type": "qwen3", "layer_types": ["full_attention", "new_attention"]}, r"\(new_attention\)"),
        ({"model_type": "gemma3", "text_config": {**GEMMA, "layer_types": ["conv"]}}, r"\(conv\)"),
        ({"model_type": "llama4_text", "layer_types": ["chunked_attention"]}, "chunked_attention"),
        ({"model_type": "llama", "attention_chunk_size": 8192}, "chunked attention"),
        ({"model_type": "falcon", "alibi": True}, "alibi"),
        ({**GEMMA, "use_bidirectional_attention": True}, "see tokens ahead"),
        ({"model_type": "llama", "is_causal": False}, "see tokens ahead"),
        ({"model_type": "rwkv"}, r"'rwkv' were not tried.*TreeCollator\(attention=...\)"),
        ({"model_type": "new_vl", "text_config": {"model_type": "llama"}}, "'new_vl' were not tried"),
        ({}, "'' were not tried"),
        ({"model_type": "llama", "_attn_implementation": "flash_attention_2"}, "attn_implementation=.flex_attention."),
        ({"model_type": "llama", "attn_implementation": "kernels-community/flash-attn3"}, "takes no mask"),
    ],
)
def test_models_that_cannot(config, said):
    assert re.search(said, why_no_trees(config))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "llama", "sliding_window": 8}, {"full_attention": None}),
        (GEMMA, {"full_attention": None, "sliding_attention": 512}),
        ({"model_type": "gemma3", "text_config": GEMMA}, {"full_attention": None, "sliding_attention": 512}),
        ({**GEMMA, "layer_types": ["full_attention"]}, {"full_attention": None}),
        ({**GEMMA, "layer_types": ["sliding_attention"]}, {"sliding_attention": 512}),
        ({"model_type": "mistral", "sliding_window": 9}, {"sliding_attention": 9}),
        ({"model_type": "mistral", "sliding_window": None}, {"full_attention": None}),
        ({"model_type": "qwen3_moe", "sliding_window": 9, "use_sliding_window": False}, {"full_attention": None}),
    ],
)
def test_the_window_of_each_kind_of_layer(config, expected):
    assert windows(config) == expected


def test_the_attention_of_a_model():
    assert attention_of({"_attn_implementation": "eager"}) == "eager"
    assert attention_of({"text_config": {"_attn_implementation": "flex_attention"}}) == "flex"
    assert attention_of({"model_type": "llama"}) == "sdpa"
