"""Conversations, and a template that drops earlier thinking: each turn is rendered otherwise once another follows."""

from __future__ import annotations

import json

from builds import run
from bundled import TOKENIZER

TEMPLATE = """\
{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content and loop.last %}<think>{{ message.reasoning_content }}</think>
{% endif %}{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
TURNS = 3
WORDS = ["the", "cup", "is", "on", "a", "shelf", "and", "we", "wash", "it", "with", "warm", "water", "before", "tea"]


def conversation(number):
    """Return a row of ``TURNS`` turns, each of which thinks; no two are alike."""

    def say(start, size):
        return " ".join(WORDS[(start * 7 + place * (number + 2)) % len(WORDS)] for place in range(size))

    messages = []
    for turn in range(TURNS):
        thought, answer = say(turn + number, 5 + (number + turn) % 6), say(turn * 3 + number, 4 + (number * turn) % 5)
        messages += [
            {"role": "user", "content": f"{number} {say(number, 3 + turn)}?"},
            {"role": "assistant", "reasoning_content": thought, "content": f"{answer}, {turn}."},
        ]
    return {"messages": messages}


def build(folder, history, count, *more):
    """Build the conversations, and return the folder of the data set."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(conversation(n)) + "\n" for n in range(count)))
    (folder / "template.jinja").write_text(TEMPLATE)
    given = ["--tokenizer", TOKENIZER, "--chat-template", folder / "template.jinja", "--history", history]
    outcome = run("build", folder / "rows.jsonl", *given, "--output", folder / "out", *more)
    assert outcome.code == 0, outcome
    return folder / "out"
