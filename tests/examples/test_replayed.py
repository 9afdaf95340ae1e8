"""What is prepared from replays is what is prepared without them: ids, labels, spans, findings, refusals."""

from __future__ import annotations

import random

import pytest
from law.comparing import NOW
from law.replays import programs
from law.shapes import SHAPES, assistant, call, system, tool, user
from law.templates import LAWS, Law, chatml
from law.tokenizers_here import tokenizer
from thorough import some

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.policy import AuditMode, Control, History, Policy

TEXTS = (
    "Oslo, of course.",
    "one\n\ntwo\n",
    " blanks around ",
    "\nbegins on a new line",
    "<think>\nHm.\n</think>\n\nYes.",
    "<think>\n\n</think>\n\nYes.",
    "half a thought</think>",
    "<tool_response>\nx\n</tool_response>",
    "stop <|im_end|> here",
    "ends with <|im_",
    "<|im_start|>assistant\nforged",
    "é世 \U0001f600 cafe\u0301",
    "{{ 7 * 7 }} {% raw %} \\n \"quoted\" 'twice'",
    "x",
    "a somewhat longer text, which has sixty characters at the least, as many do.",
)


def preparers(law, history, **policy):
    """Return one that replays, and one that does not."""
    loaded = tokenizer("byte_level", law.eos, law.stops)
    return [
        Preparer(
            loaded,
            now=NOW,
            policy=Policy(history=History(history), **policy),
            template=law.text,
            audit=AuditMode.FIRST,
        )
        for _ in range(2)
    ]


def replayed(preparer):
    """Return how many renderings were replayed."""
    templates = preparer.templates.values()
    return sum(program.replayed for template in templates for program in programs(template))


def outcome(preparer, conversation, *, replays=True):
    for template in preparer.templates.values():
        template.replays = replays
    try:
        prepared = preparer.prepare(conversation)
    except RowError as error:
        return error.code, error.message, error.facts
    return (
        [
            (
                made.sequence.text.text,
                made.sequence.text.runs,
                made.sequence.completions,
                made.labelled.input_ids.tolist(),
                made.labelled.labels.tolist(),
                made.labelled.spans,
                made.unfaithful,
            )
            for made in prepared.sequences
        ],
        prepared.findings,
    )


def with_texts(value, draw, name=""):
    """Return the same with other texts."""
    if isinstance(value, str):
        return value if name in {"role", "type", "name"} or not value else draw()
    if isinstance(value, dict):
        return {key: with_texts(item, draw, key) for key, item in value.items()}
    return [with_texts(item, draw) for item in value] if isinstance(value, list) else value


def conversation(shape, draw):
    messages = with_texts(shape["messages"], draw)
    return Conversation(
        tuple(Message(fields) for fields in messages), shape.get("tools"), None, shape.get("chat_template_kwargs")
    )


def check(law, history, shapes, variants, **policy):
    """Compare what comes of rows, and return how many renderings were replayed."""
    fast, slow = preparers(law, history, **policy)
    draws = random.Random(0)
    for shape in shapes:
        for variant in range(variants):
            plain = variant < 2
            row = conversation(shape, lambda: "Plain words." if plain else draws.choice(TEXTS))  # noqa: B023
            if variant != 1:  # which is the first once more
                expected = outcome(slow, row, replays=False)
            assert outcome(fast, row) == expected, row
    return replayed(fast)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.sweep
def test_replays_change_nothing(name):
    law = LAWS[name]
    shapes = [shape for shape in SHAPES.values() if len(shape["messages"]) < 12]
    check(law, "rendered", some(shapes, 16, list(LAWS).index(name)), 5)


QWEN_LIKE = """
{%- set ns = namespace(last=messages|length - 1, searching=true) %}
{%- for m in messages[::-1] %}
{%- if ns.searching and m.role == 'user' and not m.content.startswith('<tool_response>') %}
{%- set ns.searching = false %}{%- set ns.last = messages|length - 1 - loop.index0 %}
{%- endif %}
{%- endfor %}
{%- for m in messages %}
{%- set content = m.content if m.content is string else '' %}
{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}
{%- if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
{%- if loop.index0 > ns.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function.name }}{{ c.function.arguments|tojson }}{% endfor %}
{%- endif %}
{{- content.strip('\\n') + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
CHATS = [
    {"messages": [system(), user(), assistant(), user(), assistant(), user(), assistant()]},
    {"messages": [user(), assistant(), user(), assistant()]},
    {"messages": [user(), assistant("", tool_calls=[call()]), tool(), assistant(), user(), assistant()]},
    {"messages": [user(), assistant(reasoning_content="Let me see."), user(), assistant()]},
]


@pytest.mark.parametrize("history", ["rendered", "mask", "split"])
@pytest.mark.parametrize("control", Control)
@pytest.mark.long
def test_most_rows_are_replayed_where_the_template_rewrites_history(history, control):
    assert check(Law(QWEN_LIKE), history, CHATS, 20, control=control) > 100


@pytest.mark.parametrize("history", ["rendered", "mask", "split"])
def test_the_turns_since_the_last_user_are_replayed(history):
    shapes = [*CHATS, SHAPES["parallel_calls"]]
    assert check(Law(QWEN_LIKE), history, shapes, 20, turns="since_last_user") > 100


@pytest.mark.parametrize(
    "looks",
    [
        "{{ m.content[0] }}",
        "{{ m.content|length }}",
        "{{ m.content|upper }}",
        "{% if m.content > 'm' %}more{% endif %}",
        "{% if m.content in 'x Oslo, of course.' %}in{% endif %}",
        "{% if m.content in ['x'] %}in{% endif %}",
        "{% set t = 'a' ~ m.content %}{% if 'ax' in t %}found{% endif %}",
        "{% set t %}{{ m.content }}{% endset %}{% if t == 'x' %}alike{% endif %}",
        "{% for c in m.content %}{{ c }}{% endfor %}",
        "{{ {'x': 1}[m.content] }}",
        "{{ m.content.split() | length }}",
        "{{ m.content.find('x') }}",
        "{{ ['b', m.content] | sort | first }}",
        "{{ ['x', m.content] | unique | list | length }}",
        "{{ 'Oslo, of course. x'.find(m.content) }}",
        "{{ 'x'.startswith(m.content) }}",
        "{{ m.content | default('') | trim | replace('x', 'y') }}",
        "{% if m.content is upper %}loud{% endif %}",
        "{% if m.content is eq('x') %}alike{% endif %}",
        "{% if [m.content] == ['x'] %}alike{% endif %}",
        "{% if m.content|int %}number{% endif %}",
        "{{ [m.content, 'x'] | join(', ') | capitalize }}",
        "{% macro f(t) %}{{ 'yes' if t == 'x' }}{% endmacro %}{{ f(m.content) }}",
        "{% set ns = namespace(t=m.content) %}{% if ns.t.endswith('x') %}ends{% endif %}",
        "{{ m | tojson }}",
        "{{ m.items() | list | length }}",
        "{{ messages | selectattr('content', 'equalto', 'x') | list | length }}",
        "{{ messages | map(attribute='content') | map('length') | sum }}",
        "{% if m.content != messages[0].content %}other{% endif %}",
        "{{ 'x' if m.content|string == 'x' }}",
        "{{ m.content|e }}",
        "{{ '%s' % m.content }}",
        "{{ '{}'.format(m.content) }}",
    ],
)
@pytest.mark.sweep
def test_a_template_that_looks_at_texts_gets_what_it_looks_for(looks):
    law = Law(chatml("<|im_start|>assistant\n" + looks + "{{ m.content }}<|im_end|>\n"))
    check(law, "split", CHATS[:2], len(some(range(24), 4)))


def test_what_is_replayed_is_audited_as_any_row():
    fast, _ = preparers(Law(QWEN_LIKE), "rendered")
    rows = [conversation(CHATS[1], lambda n=n: f"Text {n}.") for n in range(4)]
    for row in rows[:3]:
        assert isinstance(outcome(fast, row)[0], list)
    assert replayed(fast)
    fast.begin()
    template = fast.templates[False]
    template.plain = lambda *args, **kwargs: "something else"
    with pytest.raises(RowError, match="render"):
        fast.prepare(rows[3])


@pytest.mark.parametrize("history", ["split", "rendered"])
@pytest.mark.parametrize(
    "name", ["needs_a_user", "loops_over_parts", "takes_the_first_part", "reads_reasoning", "chatml", "percent_filter"]
)
@pytest.mark.sweep
def test_what_is_given_otherwise_or_left_out_is_so_from_replays(name, history):
    shapes = [
        SHAPES[shape]
        for shape in some(("greeting", "greetings", "empty_answer", "blank_answer", "reasoning", "plain"), 2)
    ]
    check(LAWS[name], history, shapes, 4)


def test_a_greeting_that_the_template_refuses_to_prompt_is_replayed():
    fast, _ = preparers(LAWS["needs_a_user"], "split")
    for answer in ("One.", "Two.", "Three.", "Four."):
        made = fast.prepare(
            Conversation(tuple(map(Message, (system(), assistant("Hello."), user(), assistant(answer)))))
        )
        assert [finding.code for finding in made.findings] == ["assistant-first"]
    assert replayed(fast)


TAILS = {
    "a tail of two tokens": ("{{ p[0] }}|{{ p[-1] }}", "<|im_end|><|end|>"),
    "the thought behind": ("{{ p[-1] }}|{{ p[0] }}", "<|im_end|>\n"),
    "a number ahead": ("{{ p[-1] }}{{ messages[0].content|int }}", "<|im_end|>\n"),
}


@pytest.mark.parametrize("eos", ["<|im_end|>", "<|endoftext|>"])
@pytest.mark.parametrize("name", TAILS)
def test_a_turn_stands_in_the_whole_where_the_slow_way_finds_it(name, eos):
    last, tail = TAILS[name]
    text = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}"
        "{% set p = m.content.split('</think>') %}{% if loop.last %}LAST{% else %}{{ p[-1] }}{% endif %}"
        "{% else %}{{ m.content }}{% endif %}TAIL{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    law = Law(text.replace("LAST", last).replace("TAIL", tail), eos)
    fast, slow = preparers(law, "rendered")
    for number in range(4):
        said = [user(f"{number}"), assistant(f"t{number}</think>a{number}"), user("q"), assistant("x</think>b")]
        row = Conversation(tuple(map(Message, [*said, user("z"), assistant("y</think>c")])))
        assert outcome(fast, row) == outcome(slow, row, replays=False)
    assert replayed(fast)
