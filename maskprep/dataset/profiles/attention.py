"""Which models can be trained on trees: those whose every layer is an attention that takes our mask, and nothing else.

the model's config ─▶ why_no_trees ─▶ None, or why not and what to do
                   └▶ windows      ─▶ {"full_attention": None, "sliding_attention": 512}    a mask for each

No key of a config says that a model has nothing but attention: a new kind of layer comes with a name of its own. So it
is the other way round. Listed here are the types of models that were tried: a tree of three branches, longer than the
window, through a small model of random weights, has the same logits as its sequences, one by one. What is not listed is
refused, and a listed one, too, whose config tells of layers, or of an attention, that were not tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ONE_MASK = _types(
    "apertus apertus1p5_text arcee axk1 bitnet codegen cohere deepseek_v3 diffllama ernie4_5 ernie4_5_moe exaone "
    "falcon flex_olmo gemma glm glm4 glm4_moe glm4_moe_lite gpt-sw3 gpt2 gpt_bigcode gpt_neox gptj granite granitemoe "
    "granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe hy_v3 hyperclovax internlm3 iquestcoder jais2 jetmoe "
    "llama longcat_flash minicpm3 minimax_m2 nanochat nemotron olmo olmo2 olmoe opt persimmon phi sarvam_mla "
    "sarvam_moe seed_oss solar_open stablelm xglm youtu"
)
"""Each of their layers sees all that the mask lets it see."""

_ONE_WINDOW = _types("ministral3 mistral mixtral phi3 phimoe qwen3_moe starcoder2")
"""One mask for all layers, with a window where ``sliding_window`` says so."""

_BY_LAYER = _types(
    "afmoe cohere2 cohere2_moe cwm exaone4 exaone_moe gemma2 gemma3_text gemma3n_text gemma4_text gpt_oss granite_swa "
    "granitemoe_swa laguna mellum mimo_v2_flash ministral modernbert-decoder olmo3 qwen2 qwen2_moe qwen3 smollm3 "
    "vaultgemma"
)
"""A mask for each of the kinds that ``layer_types`` has, which they take as a dict."""

_WITH_IMAGES = frozenset(["gemma3", "gemma4"])
"""They wrap a model of text, and hand a mask on to it as it is."""

_TRIED = _ONE_MASK | _ONE_WINDOW | _BY_LAYER

FULL, SLIDING = "full_attention", "sliding_attention"

ATTENTIONS = {"sdpa": "sdpa", "eager": "eager", "flex_attention": "flex"}
"""The implementations of transformers that take our mask, and what the collators call them."""

_NO_ATTENTION = ("mamba", "ssm", "rwkv", "linear_attn", "linear_attention", "conv_", "conv1d", "lru_", "time_mix")
"""What keys of configs begin with or hold where some layers are no attention."""

_SPLIT = "build with history: split"


def why_no_trees(config: Mapping[str, Any]) -> str | None:
    """Return why a model cannot be trained on trees, and what to do instead; None where it can.

    Args:
        config: the model's, as its ``config.json`` has it or ``to_dict()`` gives it; that of its text where it has one
            for that. ``_attn_implementation`` is looked at where it is there.
    """
    return why_never(config) or why_untried(config) or _why_not_with(_implementation(config, _of_text(config)))


def why_never(config: Mapping[str, Any]) -> str | None:
    """Return why no attention that is chosen for a model lets it be trained on trees; None where nothing says so."""
    text = _of_text(config)
    kind = str(text.get("model_type") or config.get("model_type") or "")
    layers = text.get("layer_types") or []
    others = sorted({str(layer) for layer in layers if layer not in {FULL, SLIDING}})
    signs = sorted(key for key, value in text.items() if value and _tells_of_other_layers(str(key)))
    if kind in _TRIED:
        signs = []
    if others or signs:
        named = " and ".join(others or signs)
        return f"{kind or 'the model'} has layers that are no plain attention ({named}), and take no mask: {_SPLIT}"
    if text.get("attention_chunk_size"):
        return f"{kind} has chunked attention, whose chunks are counted by place and not by depth: {_SPLIT}"
    if text.get("alibi") or text.get("use_alibi"):
        return f"{kind} has alibi, which counts how far a token is away by place and not by depth: {_SPLIT}"
    # "vision" is for the tokens of an image: there are none in our rows.
    if text.get("use_bidirectional_attention") not in {None, False, "vision"} or text.get("is_causal") is False:
        return f"{kind} is set to see tokens ahead: its mask is not that of a tree: {_SPLIT}"
    return None


def why_untried(config: Mapping[str, Any]) -> str | None:
    """Return that nobody knows whether a model can be trained on trees; None where it was tried."""
    text = _of_text(config)
    kind = str(text.get("model_type") or config.get("model_type") or "")
    outer = kind if text is config else str(config.get("model_type") or "")
    if kind not in _TRIED or (text is not config and outer not in _WITH_IMAGES | _TRIED):
        return (
            f"models of the type {outer!r} were not tried with trees: {_SPLIT}; if all of its layers are attention "
            "that takes a mask of four dimensions, say which: TreeCollator(attention=...)"
        )
    return None


def windows(config: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the kinds of layers of a model that ``why_no_trees`` has nothing against, with the window of each.

    With one kind there is one mask; with two, the model takes a dict of them.
    """
    text = _of_text(config)
    kind = text.get("model_type") or config.get("model_type")
    size = text.get("sliding_window")
    if kind in _ONE_WINDOW and size is not None and text.get("use_sliding_window", True):
        return {SLIDING: int(size)}
    if kind in _BY_LAYER and text.get("layer_types"):
        return {layer: int(size or 0) if layer == SLIDING else None for layer in sorted(set(text["layer_types"]))}
    return {FULL: None}


def attention_of(config: Mapping[str, Any]) -> str:
    """Return what the collators call the attention of a model: ``sdpa`` where the config does not say."""
    return ATTENTIONS[_implementation(config, _of_text(config)) or "sdpa"]


def _of_text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text = config.get("text_config")
    return text if isinstance(text, Mapping) else config


def _implementation(config: Mapping[str, Any], text: Mapping[str, Any]) -> str | None:
    names = ("_attn_implementation", "attn_implementation")
    found = next((each[name] for each in (text, config) for name in names if each.get(name)), None)
    return None if found is None else str(found)


def _why_not_with(implementation: str | None) -> str | None:
    if implementation is None or implementation in ATTENTIONS:
        return None
    return (
        f"the attention {implementation!r} takes no mask that says which token sees which: load the model with "
        'attn_implementation="flex_attention" or "sdpa", or build with history: split'
    )


def _tells_of_other_layers(key: str) -> bool:
    return any(key.startswith(sign) or f"_{sign}" in key for sign in _NO_ATTENTION)
