"""Trees of questions, and the code that is made of them: worked examples, contradictions, bounds."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.shapes import assistant, user

from maskprep.conversation import Conversation, Message
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.learnt import program as learnt
from maskprep.template.learnt.code import compiled, source_of
from maskprep.template.learnt.program import Program
from maskprep.template.learnt.runtime import MissError, Pairs
from maskprep.template.learnt.tree import ContradictionError, Node
from maskprep.template.sandbox.limits import Limits

ASKED = ("if", "v0_prompted", True)
WRITES = ("write", "'a'", "0", "")
END = ("end",)


def test_two_that_answer_alike_go_one_way_and_others_branch():
    tree = Node()
    assert tree.add([ASKED, WRITES, END])
    assert not tree.add([ASKED, WRITES, END]), "nothing is new"
    assert tree.add([("if", "v0_prompted", False), END])
    assert tree.count() == 2


def test_two_that_answer_alike_and_are_asked_something_else_contradict_each_other():
    tree = Node()
    tree.add([ASKED, WRITES, END])
    with pytest.raises(ContradictionError, match="is followed by"):
        tree.add([ASKED, ("write", "'b'", "0", ""), END])


def test_one_that_could_not_be_replayed_says_nothing_of_those_that_go_on():
    tree = Node()
    tree.add([ASKED, ("slow",)])
    assert tree.add([ASKED, WRITES, END])
    assert not tree.add([ASKED, ("slow",)])


def program_of(text):
    return Program(text, {}, NOW, Limits())


def pairs_of(*texts):
    return Pairs([({"role": "user", "content": text}, 32 + 16 * number) for number, text in enumerate(texts)])


def test_a_contradiction_ends_the_replay_with_a_note():
    program = program_of("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert program.render(pairs_of("a"), None, prompted=False) == (["a"], [32])
    program._add([("write", "'b'", "0", ""), END])
    assert program.note.startswith("it contradicts itself")
    assert program.render(pairs_of("a"), None, prompted=False) is None


def test_a_template_with_too_many_branches_is_not_replayed_for_ever(monkeypatch):
    monkeypatch.setattr(learnt, "_MOST_LEAVES", 5)
    monkeypatch.setattr(learnt, "_MOST_WATCHED", 20)
    asks = "{% for c in 'abcdefgh' %}{{ c if c in m.content }}{% endfor %}"
    program = program_of("{% for m in messages %}" + asks + "{% endfor %}")
    for number in range(200):
        text = "".join(letter for index, letter in enumerate("abcdefgh") if number >> index & 1)
        program.render(pairs_of(text), None, prompted=False)
    assert program.watched <= 21
    assert program.slow > 150


def test_a_worked_example():
    text = "{% for m in messages %}{% if m.role == 'user' %}<u>{{ m.content.strip() }}{% endif %}{% endfor %}"
    program = program_of(text)
    program.render(pairs_of(" a ", "b"), None, prompted=False)
    code = source_of(program._tree)
    assert "v1_1 = v1_0['role']" in code
    assert "v1_3 = v1_2.strip()" in code
    replay = compiled(program._tree)
    assert replay(pairs_of("c "), None, False) == (["<u>", "c"], [0, 32])
    with pytest.raises(MissError):
        replay(Pairs([({"role": "tool", "content": "x"}, 32)]), None, False)


def test_each_choice_of_variables_is_learnt_by_itself():
    template = ChatTemplate("{{ x }}{% for m in messages %}{{ m.content }}{% endfor %}", {}, NOW)
    for number in range(150):
        row = Conversation((Message(user("a")), Message(assistant("b"))), template_kwargs={"x": number % 120})
        assert template.tracked(row, 2, generation_prompt=False).text == f"{number % 120}ab"
    assert len(template._programs) <= 100
