"""maskprep as the renderer of prime-rl, verifiers and whatever else builds on the package ``renderers``.

    pip install maskprep renderers
    python examples/renderers_custom.py [TOKENIZER]

In a configuration file, the same is

    [renderer]
    name = "custom"
    import_path = "maskprep.integrations.renderers.MaskprepRenderer"
"""

import sys

from renderers import create_renderer
from renderers.base import build_training_sample
from renderers.configs import CustomRendererConfig
from transformers import AutoTokenizer

name = sys.argv[1] if len(sys.argv) > 1 else "Qwen/Qwen3-8B"
tokenizer = AutoTokenizer.from_pretrained(name)
config = CustomRendererConfig(import_path="maskprep.integrations.renderers.MaskprepRenderer")
renderer = create_renderer(tokenizer, config)

asked = [{"role": "user", "content": "What is a fjord?"}]
said = [{"role": "assistant", "content": "A long, narrow inlet."}]

sample = build_training_sample(renderer, asked + said)
trained = [token for token, is_trained in zip(sample.token_ids, sample.loss_mask, strict=True) if is_trained]
print("trained:", repr(tokenizer.decode(trained)))

prompt = renderer.render_ids(asked, add_generation_prompt=True)
completion = [*tokenizer.encode("A long, narrow inlet.", add_special_tokens=False), renderer.get_stop_token_ids()[0]]
print("parsed: ", renderer.parse_response(completion, prompt_ids=prompt))

bridge = renderer.bridge_to_next_turn(prompt, completion, [{"role": "user", "content": "And a loch?"}])
print("bridge: ", "render it anew" if bridge is None else repr(tokenizer.decode(bridge.token_ids)))
