# ruff: noqa: E501, RUF005, UP031 - templates on one line, and what is tested
"""What is taken over from another rendering is what rendering it again gives: text and origins, for any template."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law.comparing import NOW
from law.shapes import SHAPES, assistant, user
from law.streams import LONG, compare_beginnings
from law.templates import HEAD, LAWS, SAY, TAIL, chatml
from law.tokenizers_here import tokenizer
from thorough import examples, some

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import AuditMode, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Beginning
from maskprep.template.strings.message_list import ALL, Messages, ObservedList
from maskprep.template.turns.audit import Audit

TALK = DEFAULT.parse(LONG["talk"])
SAYS = "{{ m.role }}: {{ m.content }}\n"


def template_of(text):
    return ChatTemplate(text, {"bos_token": "<s>"}, NOW)


def turns_taken(text, conversation=TALK):
    counts, wrong = compare_beginnings(template_of(text), conversation)
    assert not wrong, wrong[0]
    return counts["turns taken over"], counts["turns"]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.sweep
def test_every_beginning_is_what_rendering_it_again_gives(name):
    template = template_of(LAWS[name].text)
    for shape, row in some({**SHAPES, **LONG}.items(), 6, list(LAWS).index(name)):
        _, wrong = compare_beginnings(template, DEFAULT.parse(row))
        assert not wrong, (shape, wrong[0])


STREAMING = {
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


@pytest.mark.parametrize("name", STREAMING)
def test_templates_that_stream_take_over_every_turn(name):
    taken, turns = turns_taken(STREAMING[name])
    assert taken == turns > 0


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
    for row in some(LONG.values(), 3, list(READ_ON).index(name)):
        _, wrong = compare_beginnings(template_of(READ_ON[name]), DEFAULT.parse(row))
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
@given(MADE_UP, st.sampled_from(sorted(LONG)))
def test_made_up_templates_are_rendered_right(text, shape):
    _, wrong = compare_beginnings(template_of(text), DEFAULT.parse(LONG[shape]))
    assert not wrong, (text, wrong[0])


# How much is rendered


def talk(turns):
    messages = [m for n in range(turns) for m in (user(f"Question {n}?"), assistant(f"Answer {n}."))]
    return DEFAULT.parse({"messages": messages})


def test_what_is_rendered_for_a_turn_does_not_grow_with_the_conversation():
    law = LAWS["chatml"]
    preparer = Preparer(tokenizer("byte_level", law.eos), now=NOW, policy=Policy(), template=law.text)
    written = {}
    for turns in (20, 400):
        conversation = talk(turns)
        preparer.prove(conversation)
        written[turns] = preparer.templates[False].written(conversation) / turns
    assert written[400] < 1.2 * written[20]


def test_turns_share_the_text_of_the_whole():
    law = LAWS["chatml"]
    preparer = Preparer(tokenizer("byte_level", law.eos), now=NOW, policy=Policy(), template=law.text)
    proved = preparer.prove(talk(10))
    assert all(turn.text.root is proved.whole for turn in proved.turns[1:])
    assert sum(isinstance(turn.text, Beginning) for turn in proved.turns) == 8


# The slow way as a check


def preparer_that_errs(monkeypatch, mode):
    law = LAWS["chatml"]
    preparer = Preparer(tokenizer("byte_level", law.eos), now=NOW, policy=Policy(), template=law.text, audit=mode)
    template = preparer.templates[False]
    plain = template.plain

    def other(conversation, upto, *, generation_prompt):
        return plain(conversation, upto, generation_prompt=generation_prompt) + "!" * (upto == 2)

    monkeypatch.setattr(template, "plain", other)
    return preparer, template


def test_a_turn_of_a_new_kind_that_renders_otherwise_is_rejected_and_nothing_is_taken_over_any_more(monkeypatch):
    preparer, template = preparer_that_errs(monkeypatch, AuditMode.FIRST)
    with pytest.raises(RowError) as caught:
        preparer.prove(talk(3))
    assert caught.value.code == "render-differs"
    assert "messages[1]" in caught.value.message
    assert not template.streams


def test_all_looks_at_every_turn(monkeypatch):
    preparer, _ = preparer_that_errs(monkeypatch, AuditMode.ALL)
    for _ in range(2):
        with pytest.raises(RowError, match="another text"):
            preparer.prove(talk(3))


def test_a_sample_is_drawn_by_the_text_alone():
    drawn = [
        {number for number in range(20_000) if audit.wants(["kind"], f"text {number}") and number}
        for audit in (Audit(AuditMode.SAMPLE), Audit(AuditMode.SAMPLE))
    ]
    assert drawn[0] == drawn[1]
    assert 60 < len(drawn[0]) < 140
    first = Audit(AuditMode.FIRST)
    assert [number for number in range(20_000) if first.wants(["kind"], f"text {number}")] == [0]
    assert first.wants(["kind", "another kind"], "text")


# The list


EDGES = st.none() | st.integers(-4, 9)
PARTS = st.lists(st.tuples(EDGES, EDGES), max_size=2)
USES = {
    "length": len,
    "truth": bool,
    "list": list,
    "reversed": lambda m: [*reversed(m)],
    "first": lambda m: m[0],
    "fourth": lambda m: m[3],
    "last": lambda m: m[-1],
    "every second": lambda m: [*m[::2]],
    "two": lambda m: [item for item, _ in zip(m, range(2), strict=False)],
    "equal": lambda m: m == ["a", "b"],
    "less": lambda m: m < ["a", "c"],
    "more": lambda m: m >= ["b"],
    "contains": lambda m: "c" in m,
    "added": lambda m: [*(m + ["x"]), *(["x"] + [*m])],
    "added to": lambda m: ["x"] + m,
    "times": lambda m: m * 2,
    "index": lambda m: m.index("c"),
    "count": lambda m: m.count("c"),
    "copy": lambda m: m.copy(),
}


def _used(messages, parts, use):
    try:
        for start, stop in parts:
            messages = messages[start:stop]
        return USES[use](messages)
    except (IndexError, ValueError) as error:
        return type(error)


@given(st.integers(0, 6), st.integers(0, 6), PARTS, st.sampled_from(sorted(USES)))
def test_a_list_of_messages_is_a_list_and_knows_what_was_seen_of_it(size, other, parts, use):
    items = ["a", "b", "c", "d", "e", "f", "g"]
    seen = ObservedList()
    found = _used(Messages(items, size, seen), parts, use)
    assert found == _used(items[:size], parts, use)
    if seen.needs <= min(size, other):
        assert found == _used(items[:other], parts, use), "what was seen is said to be there, and is not"
    assert seen.needs == ALL or seen.needs <= size
