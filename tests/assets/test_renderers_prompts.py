"""Renderers of real tokenizers: what they feed a model is what transformers makes, and what was sampled can be read."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from maskprep.integrations.answers import Answers
from maskprep.integrations.message_tokens import MessageTokenizer
from maskprep.memory.masker import RowMasker

pytestmark = pytest.mark.assets

ASK, MORE = {"role": "user", "content": "What is a fjord?"}, {"role": "user", "content": "And a loch?"}
SAY = {"role": "assistant", "content": "An inlet."}
NOW = "2026-01-01T00:00:00"


@pytest.mark.parametrize("name", ["qwen3", "gptoss", "llama3_1", "qwen2_5", "gemma3", "deepseek_v3"])
def test_prompts_are_those_of_transformers(assets, name):
    folder = assets / "tokenizers" / name
    made = MessageTokenizer(RowMasker(str(folder), {"history": "mask", "now": NOW}))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for messages in ([ASK], [ASK, SAY, MORE]):
        found = made.tokens(messages, prompted=True)
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if "Current date" in text:  # of today, to transformers
            assert len(found.ids) == len(tokenizer.encode(text, add_special_tokens=False))
        else:
            assert found.ids == tokenizer.encode(text, add_special_tokens=False)
        assert found.messages[-1] == -1
    answers = Answers(made)
    written = answers.completion(SAY, tools=False)
    if written is None:
        assert name == "deepseek_v3"  # its prompt begins a thought, and the answer has none
        return
    assert answers.read(written).message() == SAY
