"""What strangers plant: text that acts on a terminal, in a page, in markup; and the places where they can put it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from bundled import TOKENIZER

EVIL = "\x1b[31mred\x1b]8;;http://evil\x1b\\link\x1b]8;;\x07 \x9b31m\x85 \u202egnp.exe \u2066x\u2069 \u2028\x7f\b\r"
EVIL += (
    " [/red] [link=http://x]y[/link] :bomb: </script><script>alert(1)</script> <img src=x onerror=alert(1)> {{ 7*7 }}"
)
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""What must reach no output: everything that acts, but for the line feed."""

NAME = EVIL.replace("/", "|")
"""The same as the name of a file."""

ROLE, DOCUMENTS = EVIL + "!", EVIL + "?"
"""What rows call the user's role and their documents; a configuration says so."""

LONG = "wide " * 800


def rows() -> list[Any]:
    """Return rows with hostile text in every field; the first are sound, the others each lack something else."""
    call = {"id": "a1", "type": "function", "function": {"name": EVIL, "arguments": {EVIL: EVIL, "deep": [{EVIL: 1}]}}}
    schema = {"name": EVIL, "description": EVIL, "parameters": {"type": "object", "properties": {EVIL: {"type": EVIL}}}}
    sound = [
        {
            "messages": [
                {"role": "system", "content": EVIL, "name": EVIL, EVIL: EVIL},
                {"role": ROLE, "content": [{"type": "text", "text": EVIL}, {"type": "text", "text": LONG}]},
                {"role": "assistant", "reasoning_content": EVIL, "content": EVIL, "tool_calls": [call]},
                {"role": "tool", "content": EVIL, "tool_call_id": EVIL, "name": EVIL},
                {"role": "assistant", "content": f"{EVIL} {LONG}"},
            ],
            "tools": [{"type": "function", "function": schema}],
            DOCUMENTS: [{"title": EVIL, "text": EVIL}],
            "chat_template_kwargs": {EVIL: EVIL, "mood": EVIL},
        },
        chat(EVIL, "A plain answer."),
        chat("Arguments that are none", None, tool_calls=[{"function": {"name": "f", "arguments": EVIL}}]),
        chat("Again", "and again"),
        chat("Again", "and again"),
    ]
    faulty = [
        {EVIL: EVIL},
        [EVIL],
        EVIL,
        {"text": EVIL},
        {"messages": [{"role": EVIL, "content": EVIL}]},
        {"messages": [{"role": "user", "content": [{"type": EVIL}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image" + EVIL}]}]},
        {"messages": EVIL},
        {"messages": [{"role": "user", "content": {EVIL: EVIL}}]},
        chat("x", "y", weight=EVIL),
        chat("x", "y", mask_spans=EVIL),
        {**chat("x", "y"), "tools": EVIL},
        {**chat("x", "y"), "tools": [EVIL]},
        {**chat("x", "y"), DOCUMENTS: EVIL},
        {**chat("x", "y"), "chat_template_kwargs": {"messages": EVIL}},
        chat("raise " + EVIL, "y"),
        chat(EVIL + "<|im_end|>" + EVIL, "y"),
    ]
    raw = [
        f'{{"{EVIL}": 1, "{EVIL}": 2}}',
        f'{{"{EVIL}',
        f'{{"a": {EVIL}}}',
        '{"a": NaN' + EVIL,
        f'{{"a": "\\ud800{EVIL}"}}',
    ]
    escaped = json.dumps(EVIL)
    raw += [
        f"{{{escaped}: 1, {escaped}: 2}}",
        f'{{{escaped}: "\\ud800"}}',
        f'{{{escaped}: "\\u0000"}}',
        f"{{{escaped}: NaN}}",
    ]
    return [*(json.dumps(row).encode() for row in sound + faulty), *(text.encode() for text in raw), b'{"\xff\x1b[31m']


def chat(ask: str, answer: str | None, **more: Any) -> dict[str, Any]:
    """Return a row of one question and one answer; ``more`` is in the answer."""
    return {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": answer, **more}]}


TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.content and message.content.startswith('raise') %}"
    "{{ raise_exception(message.content) }}{% endif -%}"
    "<|im_start|>{{ message.role }}\n"
    "{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif -%}"
    "{{ message.content }}"
    "{%- for call in message.tool_calls or [] %}{{ call | tojson }}{% endfor -%}"
    "EVIL<|im_end|>\n"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)


def plant_tokenizer(folder: Path) -> Path:
    """Write a tokenizer whose added tokens and whose template are hostile; return its folder."""
    shutil.copytree(TOKENIZER, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("EVIL", EVIL), encoding="utf-8")
    path = folder / "tokenizer.json"
    facts = json.loads(path.read_text("utf-8"))
    number = max([*facts["model"]["vocab"].values(), *(token["id"] for token in facts["added_tokens"])]) + 1
    token = {**facts["added_tokens"][0], "id": number, "content": EVIL + "|token|", "special": False}
    facts["added_tokens"].append(token)
    path.write_text(json.dumps(facts), encoding="utf-8")
    return folder
