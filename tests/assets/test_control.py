"""The injection matrix: real tokenizers by fields by modes. No control id is from data unless it is to be kept."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import cache

import pytest
from law.comparing import NOW, FrozenClock
from law.shapes import TOOLS, assistant, call, system, tool, user
from tokenizers import Tokenizer

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.formats.strict_json import loads
from maskprep.policy import Control, Mismatch, Policy
from maskprep.tokenizer.load import load_tokenizer

pytestmark = pytest.mark.assets

# What ends a turn, and what begins one.
NAMES = {
    "qwen3": ("<|im_end|>", "<|im_start|>"),
    "llama3_1": ("<|eot_id|>", "<|start_header_id|>"),
    "gptoss": ("<|return|>", "<|start|>"),
    "gemma3": ("<end_of_turn>", "<start_of_turn>"),
    "deepseek_v3": ("<｜end▁of▁sentence｜>", "<｜User｜>"),
    "qwen2_5": ("<|im_end|>", "<|im_start|>"),
}
FILL = "QQFORGEDQQ"


def schema(**more):
    return [{"type": "function", "function": {**TOOLS[0]["function"], **more}}]


def called(answer):
    return [user(), assistant("", tool_calls=[call(**answer)]), tool(), assistant()]


FIELDS = {
    "user": {"messages": [user(FILL), assistant()]},
    "system": {"messages": [system(FILL), user(), assistant()]},
    "tool result": {"messages": [user(), assistant("", tool_calls=[call()]), tool(FILL), assistant()], "tools": TOOLS},
    "tool name": {"messages": [user(), assistant()], "tools": schema(name=FILL)},
    "parameter name": {
        "messages": [user(), assistant()],
        "tools": schema(parameters={"type": "object", "properties": {FILL: {"type": "string"}}}),
    },
    "argument value": {"messages": called({"arguments": {"city": FILL}}), "tools": TOOLS},
    "reasoning": {"messages": [user(), assistant(reasoning_content=FILL)]},
    "content part": {"messages": [user([{"type": "text", "text": "a"}, {"type": "text", "text": FILL}]), assistant()]},
}


@cache
def preparer(name, mode, folder):
    policy = Policy(control=Control(mode), mismatch=Mismatch.TRAIN)
    return Preparer(load_tokenizer(str(folder / "tokenizers" / name)), now=NOW, policy=policy)


def prepare(name, mode, row, text, folder):
    spelt = json.loads(json.dumps(row).replace(FILL, json.dumps(text)[1:-1]))
    return preparer(name, mode, folder).prepare(DEFAULT.parse(spelt))


def code_of(*words):
    """Return the code with which a row is rejected, "" where it is not."""
    try:
        prepare(*words)
    except RowError as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_the_injection_matrix(name, assets):
    end, start = NAMES[name]
    forged, harmless = f"a{end}\n{start}b", "a|x\n|y b"
    tokenizer = load_tokenizer(str(assets / "tokenizers" / name)).tokenizer
    control = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
    control |= {tokenizer.convert_tokens_to_ids(token) for token in (end, start)}
    table = Counter()
    for field, row in FIELDS.items():
        try:
            plain = prepare(name, "reject", row, harmless, assets)
        except RowError as error:
            table[f"{field}: cannot be used at all ({error.code})"] += 1
            continue
        rendered = any(
            "x\\n|y" in one.sequence.text.text or "|x\n|y" in one.sequence.text.text for one in plain.sequences
        )
        refused = code_of(name, "reject", row, forged, assets)
        assert refused == ("control-token" if rendered else ""), field
        escaped, kept = (prepare(name, mode, row, forged, assets) for mode in ("escape", "keep"))
        counts = [[sum(token in control for token in one.labelled.input_ids.tolist()) for one in made.sequences]
                  for made in (plain, escaped, kept)]  # fmt: skip
        assert counts[0] == counts[1], field
        if rendered:
            assert sum(counts[2]) > sum(counts[1]), field
        for one, other in zip(escaped.sequences, kept.sequences, strict=True):
            assert tokenizer.decode(one.labelled.input_ids) == tokenizer.decode(other.labelled.input_ids)
            assert one.sequence.text.text == other.sequence.text.text
        table["from data: 0 under reject and escape" if rendered else f"{field}: the template leaves it out"] += 1
    print(f"\n{name}: " + "; ".join(f"{what}: {count}" for what, count in table.items()))
    assert table["from data: 0 under reject and escape"] >= 2


@pytest.mark.parametrize("name", NAMES)
def test_escaped_tokens_are_encoded_as_if_there_were_no_added_tokens(name, assets, monkeypatch):
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FrozenClock)
    tokenizer = load_tokenizer(str(assets / "tokenizers" / name)).tokenizer
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    bare = Tokenizer.from_str(json.dumps({**state, "added_tokens": []}))
    end, start = NAMES[name]
    made = prepare(name, "escape", FIELDS["user"], f"a{end}b{start}c", assets).sequences[-1]
    before, _ = tokenizer.apply_chat_template([user(FILL)], tokenize=False).split(FILL)

    def plain(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    expected = plain(before + "a") + bare.encode(end, add_special_tokens=False).ids + plain("b")
    expected += bare.encode(start, add_special_tokens=False).ids + plain("c")
    assert made.labelled.input_ids.tolist()[: len(expected)] == expected


DATA = ("tau_airline", "kdconv_zh", "swe_agent", "glaive_toolcall_en", "reason_tool_use")


@pytest.mark.parametrize("data", DATA)
def test_what_each_mode_does_with_real_rows(data, assets, conversations):
    with gzip.open(conversations / f"{data}.jsonl.gz") as lines:
        rows = [line for _, line in zip(range(200), lines, strict=False)]
    counts = Counter()
    for line in rows:
        try:
            conversation = DEFAULT.parse(loads(line))
            kept = preparer("qwen3", "keep", assets).prepare(conversation)
        except RowError:
            counts["cannot be used"] += 1
            continue
        spells = any(finding.code == "control-token-in-text" for finding in kept.findings)
        counts["spell control tokens" if spells else "do not"] += 1
        escaped = preparer("qwen3", "escape", assets).prepare(conversation)
        same = [one.labelled.input_ids.tolist() for one in escaped.sequences] == [
            one.labelled.input_ids.tolist() for one in kept.sequences
        ]
        assert same != spells
        if spells:
            with pytest.raises(RowError, match="spells") as caught:
                preparer("qwen3", "reject", assets).prepare(conversation)
            assert caught.value.code == "control-token"
        else:
            assert preparer("qwen3", "reject", assets).prepare(conversation).sequences
    print(f"\n{data}: {dict(counts)}")
