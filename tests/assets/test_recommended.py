"""What is recommended for real templates and real conversations uses nearly all rows wherever a faithful way exists."""

from __future__ import annotations

from itertools import islice

import pytest

from maskprep.config import load
from maskprep.examples.inputs import look_at
from maskprep.recommend.choose import recommend
from maskprep.recommend.sample import sample_of

pytestmark = pytest.mark.assets

TREE, GRAFT = ("history", "tree"), ("prompt_mismatch", "graft")
ROWS = 12
NO_CALLS, ONE_CALL = "writes nothing of", "single tool-calls"
CASES = {
    ("qwen3", "kdconv_zh"): {TREE},
    ("gptoss", "tau_airline"): {TREE},
    ("deepseek_v3", "kdconv_zh"): {TREE, GRAFT},
    ("deepseek_v3", "tau_airline"): {TREE, GRAFT},
    ("deepseek_v3", "reason_tool_use"): {GRAFT},
    ("gemma3", "kdconv_zh"): set(),
    ("gemma3", "tau_airline"): NO_CALLS,
    ("gemma3", "reason_tool_use"): NO_CALLS,
    ("llama3_1", "reason_tool_use"): ONE_CALL,
    ("qwen2_5", "reason_tool_use"): set(),
}


@pytest.mark.parametrize(("name", "data"), CASES, ids="-".join)
def test_a_faithful_way_is_found_or_it_is_said_why_there_is_none(name, data, assets, conversations):
    wanted = CASES[name, data]
    source = str(conversations / f"{data}.jsonl.gz")
    config = load(None, {"sources": source, "tokenizer": str(assets / "tokenizers" / name)})
    inputs = look_at(config)
    found = recommend(config, inputs.preparer, sample_of(islice(inputs.lines(), ROWS)))
    if isinstance(wanted, str):
        assert not found.good
        assert any(wanted in left.why for left in found.left)
    else:
        assert set(found.settings.values.items()) == wanted
        assert found.used == ROWS
        assert found.chosen.cost.unfaithful_tokens == 0
