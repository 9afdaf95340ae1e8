"""The real tokenizers, with their own templates, on real conversations: equal to the law, or rejected with its code."""

from __future__ import annotations

import gzip
from collections import Counter
from itertools import islice

import pytest
from law.comparing import HISTORIES, FrozenClock, compare, preparers, reference_of

from maskprep.formats import DEFAULT
from maskprep.formats.strict_json import loads
from maskprep.tokenizer.load import load_tokenizer

pytestmark = pytest.mark.assets

NAMES = ("qwen2_5", "llama3_1", "qwen3", "gptoss", "gemma3", "deepseek_v3")
ROWS = {"tau_airline": 12, "kdconv_zh": 40, "swe_agent": 2}


@pytest.mark.parametrize("data", ROWS)
@pytest.mark.parametrize("name", NAMES)
def test_real_rows_are_the_laws_or_rejected_with_its_code(name, data, assets, conversations, monkeypatch):
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FrozenClock)
    loaded = load_tokenizer(str(assets / "tokenizers" / name))
    template = loaded.template_for(None, tools=False)
    by_history = preparers(loaded, template)
    counts, wrong = Counter(), []
    with gzip.open(conversations / f"{data}.jsonl.gz") as lines:
        for number, line in enumerate(islice(lines, ROWS[data]), start=1):
            conversation = DEFAULT.parse(loads(line))
            reference = reference_of(loaded, template, conversation)
            for history in HISTORIES:
                verdict = compare(by_history[history], history, conversation, reference)
                counts[f"{history} {verdict.kind} {verdict.code}".strip()] += 1
                if verdict.kind in {"differs", "unknown"}:
                    wrong.append((number, history, verdict.kind, verdict.detail[:2000]))
    print(f"\n{name} {data}: " + ", ".join(f"{what} {count}" for what, count in sorted(counts.items())))
    assert not wrong, wrong[0]
