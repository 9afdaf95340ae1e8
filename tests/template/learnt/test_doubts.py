# ruff: noqa: E501 - templates on one line
"""What a review of the replays doubted: each time what is learnt of some rows is asked of rows of another kind."""

from __future__ import annotations

from itertools import permutations

import pytest
from law.comparing import NOW
from law.replays import outcome, shown

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.sandbox.limits import Limits

# The timer may go off within a callback of the garbage collector, which loses the exception; it goes off again soon.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOOP = "{%% for m in messages %%}%s{%% endfor %%}"
ELSE = "{%% for m in messages %%}{%% if m.content == 'stop' %%}{%% %s %%}{%% endif %%}{{ m.content }}{%% else %%}ELSE{%% endfor %%}!"


def row(*contents):
    return Conversation(tuple(Message({"role": "user", "content": content}) for content in contents))


@pytest.mark.parametrize("how", ["break", "continue"])
def test_the_else_of_a_loop_runs_where_no_iteration_came_to_its_end(how):
    rows = [row("a"), row("stop"), row("a", "stop"), row("stop", "a")]
    for order in permutations(rows):
        template = ChatTemplate(ELSE % how, {}, NOW)
        for each in order:
            found = outcome(template.tracked, each, len(each.messages), False)
            assert shown(found) == shown(outcome(template.tracked_apart, each, len(each.messages), False))


@pytest.mark.parametrize(
    ("source", "usual", "other"),
    [
        (LOOP % "{% for i in range(m.n) %}{% endfor %}x", 3, 100_001),
        ("{% set ns = namespace(n=7) %}" + LOOP % "{% set ns.n = ns.n * ns.n %}{{ m.n }}", 1, 2),
    ],
    ids=["a long range", "squares"],
)
def test_a_replay_makes_nothing_that_the_sandbox_would_refuse(source, usual, other):
    template = ChatTemplate(source, {}, NOW)
    for number in (usual, usual, usual, other):
        size = 20 if number == 2 else 2
        each = Conversation(tuple(Message({"role": "user", "content": "a", "n": number}) for _ in range(size)))
        found = outcome(template.tracked, each, size, False)
        assert shown(found) == shown(outcome(template.tracked_apart, each, size, False))
    assert isinstance(found, str)


def test_a_list_is_no_key_of_a_table():
    template = ChatTemplate(LOOP % "{{ 'Y' if m.content in {'a': 1} else 'N' }}", {}, NOW)
    for each in (row("a"), row("b"), row("b"), row([{"type": "text", "text": "a"}])):
        found = outcome(template.tracked, each, 1, False)
        assert shown(found) == shown(outcome(template.tracked_apart, each, 1, False))
    assert isinstance(found, str)


def test_a_row_that_goes_too_far_while_it_is_watched_is_refused_and_the_next_one_is_not():
    source = (
        LOOP
        % "{% if m.content == 'long' %}{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}{% endif %}{{ m.content }}"
    )
    template = ChatTemplate(source, {}, NOW, Limits(0.5))
    assert template.tracked(row("a"), 1, generation_prompt=False).text == "a"
    with pytest.raises(RowError, match="template_seconds"):
        template.tracked(row("long"), 1, generation_prompt=False)
    assert template.tracked(row("b"), 1, generation_prompt=False).text == "b"
