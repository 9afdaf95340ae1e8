"""Every type of models that is said to take trees does; and every one that has other layers is said not to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import transformers
from grown import TREES
from tiny import tiny
from transformers import CONFIG_MAPPING
from transformers.models.auto.configuration_auto import model_type_to_module_name
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, AutoModelForCausalLM

from maskprep.collate import TreeCollator
from maskprep.dataset.profiles import attention
from maskprep.dataset.profiles.attention import why_no_trees
from maskprep.dataset.trees import leaves

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
TRIED = sorted(attention._TRIED | attention._WITH_IMAGES)
OTHERS = re.compile(
    r"create_recurrent_attention_mask|Mamba|causal_conv1d|RgLru|rwkv|LinearAttention|GatedDelta|selective_scan|ShortConv|"
    r"create_chunked|[Ii]ndexer|xLSTM|Reformer|build_alibi_tensor\(attention_mask, self.num_heads"
)
"""What the code of models has that are not of causal attention alone."""


def config_of(kind):
    """Return the default configuration of a type, None where it cannot be made without arguments."""
    try:
        return CONFIG_MAPPING[kind]().to_dict()
    except Exception:  # noqa: BLE001 - whatever its own checks raise
        return None


def test_no_model_with_other_layers_passes():
    able = {}
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        config = config_of(kind)
        if config is None:
            continue
        module = model_type_to_module_name(kind)
        files = Path(transformers.__file__).parent.glob(f"models/{module}/modeling_{module}.py")
        code = "".join(file.read_text() for file in files)
        able[kind] = why_no_trees(config) is None
        assert not (able[kind] and OTHERS.search(code)), (kind, OTHERS.search(code))
    print(f"\n{sum(able.values())} of {len(able)} types of models take trees: {[kind for kind in able if able[kind]]}")
    assert len(able) > 150
    assert sum(able.values()) > 80


@torch.no_grad()
@pytest.mark.parametrize("kind", TRIED)
def test_the_loss_of_trees_is_that_of_their_sequences(kind):
    if config_of(kind) is None:
        pytest.skip("cannot be made with default arguments")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny(kind), attn_implementation="eager").float().eval()
    for weight in model.parameters():
        if weight.dim() > 1 and weight.std() < 0.05:
            torch.nn.init.normal_(weight, 0, 0.2)
    assert why_no_trees(model.config.to_dict()) is None
    rows = TREES[:1]
    [tree] = rows
    batch = TreeCollator(model.config)(rows)
    logits = model(**{**batch, "labels": None}).logits[0]
    causal = model(input_ids=batch["input_ids"], use_cache=False).logits[0]
    worst = without = 0.0
    for path in leaves(torch.tensor(tree["position_ids"]).numpy()):
        alone = model(input_ids=batch["input_ids"][:, path], use_cache=False).logits[0]
        worst = max(worst, float((logits[path] - alone).abs().max()))
        without = max(without, float((causal[path] - alone).abs().max()))
    assert worst < 1e-3 < 0.1 < without
