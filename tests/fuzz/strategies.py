"""What hypothesis makes: conversations, whole files of them (sound, odd, damaged), and chat templates."""

from __future__ import annotations

import gzip
import json
from typing import Any

import zstandard
from hypothesis import strategies as st

CONTROL = ("<|im_end|>", "<|im_start|>", "<|endoftext|>")
"""Control tokens of the bundled tokenizer; data may spell them."""

WORDS = st.sampled_from(
    ["Hello", "so it is", "\u00e9\U0001f600", " ", "\n\n", "", "a" * 40, "{{ x }}", "\u202e", "</think>"]
)
TEXT = st.lists(WORDS | st.sampled_from(CONTROL) | st.text(max_size=6), max_size=4).map("".join)
LEAF = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2), max_leaves=5
)

CALL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": TEXT, "arguments": st.dictionaries(TEXT, JSON, max_size=2) | TEXT})},
    optional={"id": TEXT, "type": st.just("function")},
)
PART = st.fixed_dictionaries({"type": st.sampled_from(["text", "reasoning", "tool_call", "image"]), "text": TEXT})
CONTENT = TEXT | st.lists(PART, max_size=2)
ASKED = st.fixed_dictionaries({"role": st.just("user"), "content": CONTENT}, optional={"name": TEXT})
SAID = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": CONTENT | st.none()},
    optional={
        "reasoning_content": TEXT,
        "tool_calls": st.lists(CALL, min_size=1, max_size=2),
        "weight": st.sampled_from([0, 0.5, 1, True, "x"]),
        "mask_spans": st.just([[0, 1]]),
    },
)
TOOL = st.fixed_dictionaries({"role": st.just("tool"), "content": TEXT}, optional={"tool_call_id": TEXT, "name": TEXT})
SCHEMA = st.fixed_dictionaries({"name": TEXT, "parameters": st.dictionaries(TEXT, JSON, max_size=2)})


@st.composite
def conversations(draw: Any) -> dict[str, Any]:
    """Return a row: mostly turns in their usual order, with whatever else a row may have."""
    messages = [{"role": "system", "content": draw(TEXT)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages += [draw(ASKED), draw(SAID)]
        if draw(st.integers(0, 3)) == 0:
            messages += [draw(TOOL), draw(SAID)]
    if draw(st.integers(0, 9)) == 0:
        messages = draw(st.permutations(messages))
    row: dict[str, Any] = {"messages": messages}
    if draw(st.integers(0, 3)) == 0:
        row["tools"] = draw(st.lists(SCHEMA, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        row["chat_template_kwargs"] = draw(
            st.dictionaries(st.sampled_from(["mood", "enable_thinking"]), JSON, max_size=1)
        )
    return row


LINE = conversations().map(lambda row: json.dumps(row).encode()) | JSON.map(lambda value: json.dumps(value).encode())
ODD = st.binary(max_size=60) | st.sampled_from([b"", b"{", b"[" * 300, b'{"a":NaN}', b"\xef\xbb\xbf{}", b"\0", b"{}\r"])
LINES = st.lists(LINE | ODD, max_size=6).map(b"\n".join)
ARRAY = st.lists(LINE | ODD, max_size=4).map(lambda rows: b"[" + b",".join(rows) + b"]")
CELL = st.text(st.sampled_from('ab,";\n\r\t\u00e9'), max_size=8)
TABLE = st.lists(st.lists(CELL, min_size=1, max_size=3).map(",".join), max_size=5).map(
    lambda rows: "\n".join(rows).encode()
)
PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


@st.composite
def files(draw: Any) -> tuple[str, bytes]:
    """Return the name and the bytes of a file, which may be packed, cut off, or have some of its bytes changed."""
    suffix, content = draw(
        st.one_of(
            *(st.tuples(st.just(name), made) for name, made in ((".jsonl", LINES), (".json", ARRAY), (".csv", TABLE))),
            st.tuples(st.sampled_from([".jsonl", ".json", ".tsv", ".parquet", ".arrow", ""]), st.binary(max_size=300)),
        )
    )
    packed = draw(st.sampled_from(sorted(PACKED)))
    data = PACKED[packed](content)
    if data and draw(st.integers(0, 3)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    if data and draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(data) - 1))
        data = data[:place] + draw(st.binary(max_size=3)) + data[place + 1 :]
    return f"rows{suffix}{packed}", data


# Templates: the Jinja that chat templates are written in.

NAMES = st.sampled_from(
    ["message", "message.content", "message['role']", "message.tool_calls", "ns.seen", "x", "messages[0]"]
)
TEST = st.sampled_from(
    [
        *(
            "message.role == 'user'",
            "message['role'] != 'system'",
            "loop.first",
            "loop.last",
            "not loop.last",
            "x",
            "ns.seen",
        ),
        *("message.content is string", "message.tool_calls is defined", "message.reasoning_content", "tools"),
        *(
            "add_generation_prompt",
            "'</think>' in message.content",
            "loop.index0 % 2 == 0",
            "message.content is not none",
        ),
    ]
)
FILTER = st.sampled_from(["trim", "upper", "length", "tojson", "string", "default('d')", "first", "replace('o', '0')"])
METHOD = st.sampled_from([".strip()", ".split('</think>')[-1]", "[:3]", "[::-1]", "[-1]", ".lstrip('\\n')", ".title()"])
LITERAL = st.sampled_from(["<|im_start|>", "<|im_end|>\n", "\n", " ", "user: ", "[/INST]", "<think>\n", "\u00e9"])


def expressions() -> st.SearchStrategy[str]:
    """Return what stands between ``{{`` and ``}}``."""
    leaf = NAMES | LITERAL.map(repr) | st.just("message.content")
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("{}|{}".format, inner, FILTER),
            st.builds("({}){}".format, inner, METHOD),
            st.builds("({} ~ {})".format, inner, inner),
            st.builds("({} + {})".format, inner, inner),
            st.builds("({} if {} else {})".format, inner, TEST, inner),
        ),
        max_leaves=4,
    )


def bodies() -> st.SearchStrategy[str]:
    """Return what stands within the loop over the messages."""
    dash = st.sampled_from(["", "-"])
    leaf = st.one_of(
        LITERAL,
        st.builds("{{{{{} {} {}}}}}".format, dash, expressions(), dash),
        st.builds("{{% set x = {} %}}".format, expressions()),
        st.just("{% set ns.seen = true %}"),
        st.just("{%- set x %}{{ message.content }}{%- endset %}"),
        st.just("{{ shown(message.content) }}"),
        st.just("{%- for call in message.tool_calls or [] %}{{ call.function | tojson }}{%- endfor %}"),
        st.just("{% generation %}{{ message.content }}{% endgeneration %}"),
        st.just("{% continue %}"),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=4).map("".join),
            st.builds("{{%{} if {} {}%}}{}{{% else %}}{}{{% endif %}}".format, dash, TEST, dash, inner, inner),
            st.builds("{{%- for x in [1, 'two'] -%}}{}{{%- endfor -%}}".format, inner),
        ),
        max_leaves=6,
    )


def templates() -> st.SearchStrategy[str]:
    """Return whole templates: a macro, a namespace, a loop over the messages, and maybe a generation prompt."""
    return st.builds(
        "{{%- macro shown(x) %}}[{{{{ x }}}}]{{%- endmacro %}}"
        "{{%- set ns = namespace(seen=false) %}}{{% set x = '' %}}{}"
        "{{% for message in messages {} %}}{}{{% endfor %}}{{% if add_generation_prompt %}}{}{{% endif %}}".format,
        st.sampled_from(["", "{{ bos_token }}", "{{ tools | tojson }}", "{{ messages[0].content }}"]),
        st.sampled_from(["", "", "if message.role != 'system'"]),
        bodies()
        | st.just("<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n")
        | bodies().map("<|im_start|>{{{{ message.role }}}}\n{}<|im_end|>\n".format),
        st.sampled_from(["<|im_start|>assistant\n", "assistant: ", "<|im_start|>assistant\n<think>\n", ""]),
    )
