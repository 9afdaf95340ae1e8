"""Real tokenizers: segments, contexts and fastokens give the ids of transformers on real conversations."""

from __future__ import annotations

import gzip
from itertools import islice
from random import Random

import pytest

from maskprep.formats import DEFAULT
from maskprep.formats.strict_json import loads
from maskprep.tokenizer.backend import Fastokens
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import load_tokenizer

pytestmark = pytest.mark.assets

NAMES = ("qwen2_5", "llama3_1", "qwen3", "gptoss", "gemma3", "deepseek_v3")
ROWS = {"tau_airline": 4, "kdconv_zh": 20, "swe_agent": 1}


def rendered(loaded, conversation):
    messages = [dict(message.fields) for message in conversation.messages]
    try:
        return loaded.tokenizer.apply_chat_template(messages, tools=conversation.tools, tokenize=False)
    except Exception:  # noqa: BLE001 - a template refuses what it likes; any text will do
        return "\n".join(f"<|im_start|>{message}<|im_end|>" for message in messages)


@pytest.mark.parametrize("name", NAMES)
def test_every_beginning_of_a_text_has_the_ids_that_it_has_alone(name, assets, conversations):
    loaded = load_tokenizer(str(assets / "tokenizers" / name))
    fast = Fastokens(loaded.tokenizer)
    encoder, random, contexts, shared = Encoder(loaded.tokenizer), Random(7), 0, 0
    for data, count in ROWS.items():
        with gzip.open(conversations / f"{data}.jsonl.gz") as lines:
            texts = [rendered(loaded, DEFAULT.parse(loads(line))) for line in islice(lines, count)]
        for text, flat in zip(texts, fast.encode(texts), strict=True):
            right = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids = encoder.ids(text)
            assert ids.tolist() == flat.tolist() == right
            places = sorted(random.sample(range(len(text)), 12))
            for start, context in encoder.contexts(text, places).items():
                alone = loaded.tokenizer(text[:start], add_special_tokens=False)["input_ids"]
                assert [*ids[: context.shared], *context.rest] == alone, text[start - 40 : start + 40]
                contexts, shared = contexts + 1, shared + (context.shared > 0)
    print(f"\n{name}: {contexts} contexts, {shared} of them begin with ids of the whole")
    assert shared > contexts / 2
