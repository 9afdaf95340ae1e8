"""What is told about the real tokenizers, each statement checked against the template's text by a person."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from maskprep.cli import app

pytestmark = pytest.mark.assets

FACTS = {
    "qwen3": {
        "stop": "<|im_end|>",
        "inserted": "<think>\n\n</think>\n\n",
        "dropped": {"developer", "documents", "name", "list content"},
        "default": "",
        "rewrites": {"without reasoning", "with reasoning", "with tool calls"},
        "mends": None,
        "arguments": ("read", "read"),
        "clock": False,
        "twice": False,
    },
    "qwen2_5": {
        "stop": "<|im_end|>",
        "inserted": "",
        "dropped": {"developer", "reasoning_content", "reasoning", "thinking", "documents", "name"},
        "default": "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
        "rewrites": set(),
        "mends": None,
        "arguments": ("read", "encoded twice"),
        "clock": False,
        "twice": False,
    },
    "llama3_1": {
        "stop": "<|eot_id|>",
        "inserted": "",
        "dropped": {
            *("content beside tool_calls", "content beside reasoning and tool_calls"),
            *("reasoning_content", "reasoning", "thinking", "documents", "name"),
        },
        "default": "",
        "rewrites": set(),
        "mends": None,
        "arguments": ("read", "encoded twice"),
        "clock": False,
        "twice": True,
    },
    "gptoss": {
        "stop": "<|return|>",
        "inserted": "<|channel|>final<|message|>",
        "dropped": {"documents", "name"},
        "default": "",
        "rewrites": {"without reasoning", "with reasoning", "with tool calls"},
        "mends": None,
        "arguments": ("read", "encoded twice"),
        "clock": True,
        "twice": False,
    },
    "gemma3": {
        "stop": "<end_of_turn>",
        "inserted": "",
        "dropped": {
            *("tools", "tool_calls", "several tool_calls at once"),
            *("reasoning_content", "reasoning", "thinking", "documents", "name"),
        },
        "default": "",
        "rewrites": set(),
        "mends": None,
        "arguments": ("dropped", "dropped"),
        "clock": False,
        "twice": True,
    },
    "deepseek_v3": {
        "stop": "<｜end▁of▁sentence｜>",
        "inserted": None,
        "dropped": {"developer", "tools", "reasoning_content", "reasoning", "thinking", "documents", "name"},
        "default": "",
        "rewrites": set(),
        "mends": [],
        "arguments": ("refused", "read"),
        "clock": False,
        "twice": False,
    },
}


@pytest.mark.parametrize("name", FACTS)
def test_what_is_told(name, assets):
    result = CliRunner().invoke(app, ["probe", str(assets / "tokenizers" / name), "--json"])
    assert result.exit_code == 0, result.output
    told = {key: one["value"] for key, one in json.loads(result.stdout)["statements"].items()}
    verdicts = {**told["roles"], **told["fields"]}
    assert {
        "stop": told["stop"]["answer"],
        "inserted": told["inserted"] and told["inserted"]["before"],
        "dropped": {key for key, found in verdicts.items() if found["kind"] == "dropped"},
        "default": told["opening"]["default_system"],
        "rewrites": {key for key, change in told["history"].items() if change},
        "mends": told["fit"].get("mends"),
        "arguments": (told["arguments"]["object"], told["arguments"]["text"]),
        "clock": told["clock"]["told"],
        "twice": told["beginning"]["template_writes"] and told["beginning"]["tokenizer_adds"],
    } == FACTS[name]
