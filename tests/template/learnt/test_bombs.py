"""Templates that would make very much of a little: a replay makes no more than the template itself may."""

from __future__ import annotations

import time

import pytest
from law.comparing import NOW
from law.replays import outcome, shown
from law.shapes import assistant, user

from maskprep.conversation import Conversation, Message
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.learnt.runtime import LONGEST
from maskprep.template.sandbox.limits import Limits

# The timer may go off within a callback of the garbage collector, which loses the exception; it goes off again soon.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOOP = "{%% for m in messages %%}%s{%% endfor %%}"
DOUBLED = (
    "{% set ns = namespace(t='x') %}{% for m in messages %}{% set ns.t = ns.t ~ m.content ~ ns.t %}{% endfor %}"
    "{{ ns.t|length }}"
)
BOMBS = {
    "replace": LOOP % "{{ m.content.replace('a', 'b' * 100000)|length }}",
    "replace one by one": LOOP % "{{ m.content|replace('a', 'a' * 2000)|replace('a', 'b' * 2000)|length }}",
    "times": LOOP % "{{ (m.content * 1000000000)|length }}",
    "padded": LOOP % "{{ m.content.ljust(1000000000)|length }}",
    "joined": LOOP % "{{ m.content.split('a')|join('b' * 1000000)|length }}",
    "indented": LOOP % "{{ m.content|indent(100000000) }}",
    "indented JSON": LOOP % "{{ [m.content]|tojson(indent=100000000) }}",
    "doubled": DOUBLED,
    "a list doubled": DOUBLED.replace("t='x'", "t=[1]").replace("~ m.content ~", "+ [m.content] +"),
    "a long range": LOOP % "{% for i in range(m.content|int) %}{% endfor %}",
    "formatted": LOOP % "{{ '%1000000000s' % m.content }}",
}


def talk(text, turns):
    messages = [Message(make(text)) for _ in range(turns) for make in (user, assistant)]
    return Conversation(tuple(messages))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_stays_bounded_and_is_what_the_template_makes(name):
    template = ChatTemplate(BOMBS[name], {}, NOW)
    began = time.process_time()
    for text, turns in (*(("b", 1), ("ab", 1), ("ab", 2), ("a" * 300, 2), ("ab", 3)), ("a" * 30_000, 20), ("9" * 9, 2)):
        row = talk(text, turns)
        found = outcome(template.tracked, row, 2 * turns, False)
        template.forget()
        assert shown(found) == shown(outcome(template.tracked_apart, row, 2 * turns, False))
    assert time.process_time() - began < 60


def test_the_bound_is_below_what_a_template_may_make():
    template = ChatTemplate("", {}, NOW)
    assert template.limits.size * 1.001 >= LONGEST * 16


THRICE = "{% for b in messages %}{% for c in messages %}{% for d in messages %}{{ d.role[:1] }}"
ENDLESS = {
    "loops of constants": "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}",
    "loops within a loop": LOOP % "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loops over messages": LOOP % (THRICE + 3 * "{% endfor %}"),
    "a macro that calls itself": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_takes_too_long_is_refused_in_time(name):
    template = ChatTemplate(ENDLESS[name], {}, NOW, Limits(seconds=0.5))
    for turns in (1, 2, 3, 200):
        row = talk("a", turns)
        began = time.process_time()
        found = outcome(template.tracked, row, 2 * turns, False)
        assert time.process_time() - began < 10
        template.forget()
    assert found == "template-limit"
