"""What may be left out of a conversation, and what belongs together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maskprep.conversation import Message
from maskprep.examples.overflow import exchanges
from maskprep.policy import ROLES


def of(roles):
    names = {"s": "system", "d": "developer", "u": "user", "a": "assistant", "t": "tool"}
    head, found = exchanges([Message({"role": names[role], "content": ""}) for role in roles])
    return head, [(unit.asked, unit.rounds) for unit in found]


def test_a_plain_chat():
    assert of("suaua") == ((0,), [((1,), ((2,),)), ((3,), ((4,),))])


def test_a_call_stays_with_its_results():
    assert of("uattata") == ((), [((0,), ((1, 2, 3), (4, 5), (6,)))])


def test_several_questions_in_a_row_are_one():
    assert of("uuauu") == ((), [((0, 1), ((2,),)), ((3, 4), ())])


def test_an_answer_without_a_question_and_a_system_message_in_the_middle():
    assert of("sdasua") == ((0, 1), [((), ((2,),)), ((3, 4), ((5,),))])


def test_a_result_without_a_call_is_asked():
    assert of("tua") == ((), [((0, 1), ((2,),))])


def test_a_system_message_within_an_exchange_does_not_part_the_answer_from_its_question():
    assert of("uatsa") == ((), [((0,), ((1, 2, 3), (4,)))])
    assert of("uasdt") == ((), [((0,), ((1, 2, 3, 4),))])


def test_a_system_message_behind_an_answer_goes_with_the_next_question():
    assert of("uatsdua") == ((), [((0,), ((1, 2),)), ((3, 4, 5), ((6,),))])
    assert of("uas") == ((), [((0,), ((1,),)), ((2,), ())])


@given(st.lists(st.sampled_from(ROLES), max_size=12))
def test_every_message_is_in_one_place_and_in_order(roles):
    head, found = exchanges([Message({"role": role, "content": ""}) for role in roles])
    assert list(head) + [index for unit in found for index in unit.messages] == list(range(len(roles)))
    assert all(roles[index] in {"system", "developer"} for index in head)
