"""The renderer in the package ``renderers`` itself, by its own protocol and its own functions."""

from __future__ import annotations

import runpy
import sys

import pytest
from bundled import ROOT, TOKENIZER

pytest.importorskip("renderers")

from renderers import create_renderer
from renderers.base import Renderer, build_training_sample, build_trajectory_step
from renderers.configs import CustomRendererConfig
from transformers import AutoTokenizer

from maskprep import Masker, Rejected, UsageError

PATH = "maskprep.integrations.renderers.MaskprepRenderer"
ASK, MORE = {"role": "user", "content": "What is a fjord?"}, {"role": "user", "content": "And a loch?"}
SAY = {"role": "assistant", "content": "An inlet."}


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TOKENIZER)


@pytest.fixture
def renderer(tokenizer):
    return create_renderer(tokenizer, CustomRendererConfig(import_path=PATH))


def test_it_is_a_renderer(renderer):
    assert isinstance(renderer, Renderer)
    assert not renderer.is_prefix_stable


def test_a_training_sample_is_what_a_masker_makes(renderer, tokenizer):
    sample = build_training_sample(renderer, [ASK, SAY, MORE, SAY])
    example = Masker(tokenizer, history="mask")([ASK, SAY, MORE, SAY])
    assert sample.token_ids == example.input_ids.tolist()
    assert sample.loss_mask == (example.labels != -100).tolist()


def test_a_trajectory_step_parts_prompt_and_completion(renderer, tokenizer):
    step = build_trajectory_step(renderer, [ASK], [SAY])
    assert step["prompt_ids"] == renderer.render_ids([ASK], add_generation_prompt=True)
    assert tokenizer.decode(step["completion_ids"]) == "An inlet.<|im_end|>\n"


def test_an_answer_is_parsed_and_bridged(renderer, tokenizer):
    completion = tokenizer.encode("<think>\nHm.\n</think>\n\nAn inlet.<|im_end|>")
    parsed = renderer.parse_response(completion)
    assert (parsed.content, parsed.reasoning_content, parsed.reasoning_complete) == ("An inlet.", "Hm.", True)
    prompt = renderer.render_ids([ASK], add_generation_prompt=True)
    bridge = renderer.bridge_to_next_turn(prompt, completion, [MORE])
    thought = {**SAY, "reasoning_content": "Hm."}
    assert bridge.token_ids == renderer.render_ids([ASK, thought, MORE], add_generation_prompt=True)
    assert bridge.tokens_per_message(1) == [len(bridge.token_ids) - bridge.message_indices.count(-1)]
    assert not any(bridge.sampled_mask)
    assert renderer.bridge_to_next_turn(prompt, completion[:-1], [MORE]) is None


def test_it_stops_where_the_template_does(renderer, tokenizer):
    assert tokenizer.convert_ids_to_tokens(renderer.get_stop_token_ids()) == ["<|im_end|>"]


def test_other_keys_are_variables_of_the_template(tokenizer):
    config = CustomRendererConfig(import_path=PATH, current_date="1 May")
    made = create_renderer(tokenizer, config)
    assert "Today is 1 May." in tokenizer.decode(made.render_ids([ASK], add_generation_prompt=True))
    made = create_renderer(
        tokenizer, CustomRendererConfig(import_path=PATH), chat_template_kwargs={"current_date": "2"}
    )
    assert "Today is 2." in tokenizer.decode(made.render_ids([ASK], add_generation_prompt=True))


def test_what_cannot_be_is_refused_with_what_to_do(renderer, tokenizer):
    with pytest.raises(Rejected, match="control-token"):
        renderer.render([{"role": "user", "content": "<|im_start|>"}, SAY])
    with pytest.raises(UsageError, match="thinking_retention"):
        create_renderer(tokenizer, CustomRendererConfig(import_path=PATH, thinking_retention="all"))


def test_the_example_runs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["renderers_custom.py", str(TOKENIZER)])
    runpy.run_path(str(ROOT / "examples" / "renderers_custom.py"))
    trained, parsed, bridge = capsys.readouterr().out.splitlines()
    assert trained == "trained: 'A long, narrow inlet.<|im_end|>'"
    assert "content='A long, narrow inlet.'" in parsed
    assert bridge.endswith("<|im_start|>assistant\\n'")
