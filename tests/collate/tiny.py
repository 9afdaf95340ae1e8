"""Any model of transformers, as small as it can be: its own configuration, with every size that it has made small."""

from __future__ import annotations

from transformers import CONFIG_MAPPING

WINDOW = 6
LAYERS = 4
NAMES = {
    32: "hidden_size n_embd d_model embedding_size",
    48: "intermediate_size ffn_dim n_inner d_ff ffn_hidden_size",
    16: "moe_intermediate_size shared_expert_intermediate_size expert_ffn_hidden_size q_lora_rank kv_lora_rank "
    "qk_head_dim",
    8: "qk_nope_head_dim qk_rope_head_dim v_head_dim global_head_dim hidden_size_per_layer_input query_pre_attn_scalar",
    LAYERS: "num_hidden_layers n_layer n_layers num_layers num_attention_heads n_head n_heads num_heads "
    "attention_heads num_experts num_local_experts n_routed_experts laurel_rank rotary_dim num_swa_attention_heads",
    2: "num_experts_per_tok moe_topk altup_num_inputs decoder_layers eos_token_id",
    1: "n_group topk_group first_k_dense_replace bos_token_id",
    0: "num_kv_shared_layers pad_token_id",
    90: "vocab_size vocab_size_per_layer_input",
    128: "max_position_embeddings n_positions",
    WINDOW: "sliding_window",
}
NONE = {"attention_dropout": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.3}
SMALL = {name: size for size, names in NAMES.items() for name in names.split()} | NONE
EVEN_IF_NONE = {"head_dim": 8, "num_key_value_heads": 2, "sliding_window": WINDOW}


def small(config):
    """Return what makes a configuration small, as its arguments; each kind of layer that it has comes in turn."""
    found = {name: size for name, size in SMALL.items() if config.get(name) is not None}
    found |= {name: size for name, size in EVEN_IF_NONE.items() if name in config}
    if "kv_lora_rank" in config:
        found["num_key_value_heads"] = 4
    for name, value in config.items():
        if isinstance(value, list) and len(value) == config.get("num_hidden_layers"):
            found[name] = value[-LAYERS:]
    if config.get("layer_types"):
        kinds = sorted(set(config["layer_types"]), reverse=True)
        found["layer_types"] = (kinds * LAYERS)[:LAYERS]
    if "activation_sparsity_pattern" in config:
        found["activation_sparsity_pattern"] = [0.0] * LAYERS
    if "use_sliding_window" in config:
        found |= {"use_sliding_window": True, "max_window_layers": 2}
        found.pop("layer_types", None)
    return found


def tiny(kind):
    """Return the small configuration of a type of models."""
    config = CONFIG_MAPPING[kind]
    whole = config().to_dict()
    text = whole.get("text_config")
    if isinstance(text, dict):
        return config(text_config={"model_type": text["model_type"], **small(text)})
    return config(**small(whole))
