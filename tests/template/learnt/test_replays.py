# ruff: noqa: E501, UP031 - templates on one line
"""What is replayed is what rendering it gives, text and origins, for any template and in any order of arrival."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law.comparing import NOW
from law.replays import LONG, compare_beginnings, compare_in_order, outcome, programs, shown
from law.shapes import SHAPES, assistant, user
from law.templates import HEAD, LAWS, SAY, TAIL, chatml
from law.tokenizers_here import tokenizer
from thorough import examples, some

from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Beginning

SAYS = "{{ m.role }}: {{ m.content }}\n"
ROWS = [DEFAULT.parse(row) for row in {**SHAPES, **LONG}.values()]


def template_of(text):
    return ChatTemplate(text, {"bos_token": "<s>"}, NOW)


def parsed(names):
    return [DEFAULT.parse(LONG[name]) for name in names]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.sweep
def test_every_beginning_is_what_rendering_it_gives(name):
    template = template_of(LAWS[name].text)
    _, wrong = compare_in_order(template, some(ROWS, 6, list(LAWS).index(name)))
    assert not wrong, wrong[0]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.sweep
def test_what_is_made_does_not_depend_on_what_was_learnt_first(name):
    rows = some(ROWS, 6, list(LAWS).index(name))
    made = []
    for seed in range(3):
        template = template_of(LAWS[name].text)
        order = [*range(len(rows))]
        random.Random(seed).shuffle(order)
        found = {}
        for number in order * 2:
            whole = outcome(template.tracked, rows[number], len(rows[number].messages), False)
            assert found.setdefault(number, shown(whole)) == shown(whole)
            template.forget()
        made.append(found)
    assert made[0] == made[1] == made[2]


REPLAYED = {
    "chatml": LAWS["chatml"].text,
    "looks at the next message": chatml(
        HEAD + SAY + "{% if loop.nextitem %} {{ loop.nextitem.role }}{% endif %}" + TAIL
    ),
    "the last one ends otherwise": LAWS["last_never_ends"].text,
    "asks within the loop": LAWS["other_end_last"].text,
    "scans the messages first": (
        "{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}"
        "{% set ns.system = ns.system ~ m.content %}{% endif %}{% endfor %}{{ ns.system }}" + chatml(HEAD + SAY + TAIL)
    ),
    "counts in a namespace": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }} "
        + SAYS
        + "{% endfor %}{{ ns.n }}"
    ),
    "a part of the messages": "{% set rest = messages[1:] %}{% for m in rest %}" + SAYS + "{% endfor %}",
    "macros": LAWS["macros"].text,
    "remembers what came before": "{% for m in messages %}{{ (loop.previtem or m).role }}>{{ loop.cycle('a', 'b', 'c') }}"
    + SAYS
    + "{% endfor %}",
    "a loop under a condition": "{% if messages %}{% for m in messages %}"
    + SAYS
    + "{% endfor %}{% else %}-{% endif %}",
}


@pytest.mark.parametrize("name", REPLAYED)
def test_templates_are_replayed_from_a_few_rows(name):
    template = template_of(REPLAYED[name])
    _, wrong = compare_in_order(template, parsed(["talk"]))
    counts, more = compare_in_order(template, parsed(["talk"]))
    assert not wrong + more, (wrong + more)[0]
    if name == "remembers what came before":
        assert not counts["replayed"], "loop.cycle is not learnt"
    else:
        assert counts["replayed"] == counts["renderings"] > 0


READ_ON = {
    "the length": "{% for m in messages %}{{ loop.length }}" + SAYS + "{% endfor %}",
    "the length of the list": "{% for m in messages %}{{ messages|length }}" + SAYS + "{% endfor %}",
    "the last message": "{% for m in messages %}{{ messages[-1].content }}" + SAYS + "{% endfor %}",
    "all of them": "{% for m in messages %}{{ messages|map(attribute='content')|join }}" + SAYS + "{% endfor %}",
    "backwards": "{% for m in messages %}{{ (messages|reverse|first).content }}" + SAYS + "{% endfor %}",
    "far ahead": "{% for m in messages %}{{ (messages[loop.index0 + 5] or m).content }}" + SAYS + "{% endfor %}",
    "a variable of the last": "{% set last = messages[-1] %}{% for m in messages %}{{ last.content }}{% endfor %}",
    "a number of all": "{% set n = messages|length %}{% for m in messages %}{{ n }}" + SAYS + "{% endfor %}",
    "printed": "{% for m in messages %}{{ messages }}" + SAYS + "{% endfor %}",
    "as json": "{% for m in messages %}{{ messages|tojson }}" + SAYS + "{% endfor %}",
    "what changed": "{% for m in messages %}{{ loop.changed(m.role) }}" + SAYS + "{% endfor %}",
    "a generator": (
        "{% set all = messages|map(attribute='content') %}{% for m in messages %}{{ all|first }}"
        + SAYS
        + "{% endfor %}"
    ),
    "a cycler": "{% set c = cycler('a', 'b', 'c') %}{% for m in messages %}{{ c.next() }}" + SAYS + "{% endfor %}",
    "a joiner": "{% set j = joiner('; ') %}{% for m in messages %}{{ j() }}{{ m.content }}{% endfor %}",
    "the loop kept": (
        "{% set ns = namespace(l=none) %}{% for m in messages %}{% if loop.first %}{% set ns.l = loop %}{% endif %}"
        "{{ ns.l.index }}" + SAYS + "{% endfor %}"
    ),
    "two names of one namespace": (
        "{% set a = namespace(n=0) %}{% set b = a %}{% for m in messages %}{% set b.n = a.n + 1 %}{{ a.n }}{% endfor %}"
    ),
    "a namespace in a list": (
        "{% set a = [namespace(n=0)] %}{% for m in messages %}{% set x = a[0] %}{% set x.n = x.n + 1 %}{{ x.n }}{% endfor %}"
    ),
    "messages kept": (
        "{% set ns = namespace(rest=none) %}{% for m in messages %}{% set ns.rest = messages[loop.index:] %}"
        "{% endfor %}{{ ns.rest|length }}{% for m in messages %}" + SAYS + "{{ ns.rest|length }}{% endfor %}"
    ),
    "a question kept": (
        "{% set wanted = add_generation_prompt %}{% for m in messages %}{{ wanted }}" + SAYS + "{% endfor %}"
    ),
    "a question in a macro": (
        "{% macro w() %}{{ add_generation_prompt }}{% endmacro %}{% for m in messages %}{{ w() }}"
        + SAYS
        + "{% endfor %}"
    ),
    "written into a block": "{% set all %}{% for m in messages %}" + SAYS + "{% endfor %}{% endset %}{{ all|upper }}",
    "filtered": "{% for m in messages if m.role != 'user' %}{{ loop.index }}" + SAYS + "{% endfor %}",
    "left early": "{% for m in messages %}{% if loop.index > 4 %}{% break %}{% endif %}"
    + SAYS
    + "{% else %}-{% endfor %}",
    "a macro that sees what is set later": (
        "{% set x = 'a' %}{% macro w() %}{{ x }}{% endmacro %}{% for m in messages %}{{ w() }}{% endfor %}"
        "{% set x = messages|length %}{{ w() }}"
    ),
    "gathers": LAWS["gathers_in_namespace"].text,
}


@pytest.mark.parametrize("name", READ_ON)
@pytest.mark.sweep
def test_templates_that_read_on_or_keep_things_are_rendered_right(name):
    rows = some([*LONG], 3, list(READ_ON).index(name))
    _, wrong = compare_in_order(template_of(READ_ON[name]), parsed(rows))
    assert not wrong, wrong[0]


# Templates made up: state in namespaces, reads near and far, conditions, loops in loops

NAMES = st.sampled_from(["ns.a", "ns.b", "top"])
READS = st.sampled_from(
    [
        *("m.content", "m.role", "loop.index", "loop.first", "loop.last", "loop.length", "(loop.previtem or m).role"),
        *("(loop.nextitem or m).content", "messages[0].content", "messages[-1].role", "messages[loop.index0 - 1].role"),
        *("(messages[loop.index0 + 1] or m).role", "messages[loop.index:]|length", "messages[:loop.index]|length"),
        *(
            "(rest[loop.index0] or m).role",
            "rest|length",
            "add_generation_prompt",
            "ns.a",
            "ns.b",
            "top",
            "say(m)",
            "'-'",
        ),
        *("messages[2:4]|map(attribute='content')|join", "loop.revindex", "loop.cycle('x', 'y')", "m"),
    ]
)
OUTPUT = READS.map(lambda read: "{{ %s }};" % read)
SETTING = st.builds(lambda name, read: "{%% set %s = %s %%}" % (name, read), st.sampled_from(["ns.a", "ns.b"]), READS)
ADDING = READS.map(lambda read: "{%% set ns.a = (ns.a ~ (%s))[-9:] %%}" % read)


def _conditions(inner):
    return st.builds(
        lambda read, yes, no: "{%% if %s %%}%s{%% else %%}%s{%% endif %%}" % (read, "".join(yes), "".join(no)),
        READS,
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=1),
    )


BODY = st.recursive(OUTPUT | SETTING | ADDING, _conditions, max_leaves=5)
LISTS = st.sampled_from(["messages", "rest", "messages[1:]", "messages[:3]", "messages|list", "messages[::-1]"])
LOOP = st.builds(
    lambda over, body: "{%% for m in %s %%}%s{%% endfor %%}" % (over, "".join(body)),
    LISTS,
    st.lists(BODY, min_size=1, max_size=4),
)
BETWEEN = st.sampled_from(
    [
        *("{{ ns.a }}", "{% set top = ns.b %}", "{{ rest[0].content }}", "{% if add_generation_prompt %}?{% endif %}"),
        *("{{ messages|length }}", "{% set rest = rest[1:] %}", "{% set top = rest|first %}", "{% set ns.b = top %}"),
    ]
)
HEADS = (
    "{% set ns = namespace(a='', b=0) %}{% set top = 'T' %}{% set rest = messages[1:] %}"
    "{% macro say(x) %}<{{ x.role }}{{ top }}{{ add_generation_prompt }}>{% endmacro %}"
)
MADE_UP = st.lists(LOOP | BETWEEN, min_size=1, max_size=5).map(lambda parts: HEADS + "".join(parts))


@settings(max_examples=examples(200))
@given(MADE_UP, st.permutations(sorted(LONG)))
def test_made_up_templates_are_rendered_right(text, order):
    _, wrong = compare_in_order(template_of(text), parsed(order))
    assert not wrong, (text, wrong[0])


# How much is rendered, and shared


def talk(turns):
    messages = [m for n in range(turns) for m in (user(f"Question {n}?"), assistant(f"Answer {n}."))]
    return DEFAULT.parse({"messages": messages})


def preparer_of(name="chatml"):
    law = LAWS[name]
    return Preparer(tokenizer("byte_level", law.eos), now=NOW, policy=Policy(), template=law.text)


def test_a_long_conversation_is_replayed_once_a_short_one_was_learnt():
    preparer = preparer_of()
    for turns in (2, 3, 4, 5):
        preparer.prove(talk(turns))
    [program] = programs(preparer.templates[False])
    watched = program.watched
    preparer.prove(talk(400))
    assert program.watched == watched
    assert preparer.templates[False]._given[0].written == 0


def test_turns_share_the_text_of_the_whole():
    preparer = preparer_of()
    template = preparer.templates[False]
    conversation = talk(10)
    compare_beginnings(template, conversation)
    whole = template.tracked(conversation, 20, generation_prompt=False)
    found = [template.tracked(conversation, upto, generation_prompt=False) for upto in range(1, 20)]
    assert all(isinstance(each, Beginning) and each.root is whole for each in found)
