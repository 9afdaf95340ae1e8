"""Which conversations are the same, and the table that remembers them."""

from __future__ import annotations

import hashlib

import pytest

from maskprep.conversation import Conversation, Message, Range
from maskprep.duplicates import FirstSeen, digest

ASK = Message({"role": "user", "content": "a"})
SAY = Message({"role": "assistant", "content": "b"})


def of(*messages: Message, **more: object) -> bytes:
    return digest(Conversation(messages, **more))


def test_the_order_of_a_messages_fields_does_not_count() -> None:
    turned = Message({"content": "a", "role": "user"})
    assert of(ASK, SAY) == of(turned, SAY)
    assert of(ASK, Message(SAY.fields, weight=1)) == of(ASK, SAY)
    assert len(of(ASK)) == 16


@pytest.mark.parametrize(
    "other",
    [
        of(SAY, ASK),
        of(ASK),
        of(ASK, Message({"role": "assistant", "content": "b "})),
        of(ASK, Message({"role": "assistant", "content": "b", "reasoning_content": ""})),
        of(ASK, Message(SAY.fields, weight=0.0)),
        of(ASK, Message(SAY.fields, prefix=True)),
        of(ASK, Message(SAY.fields, ranges=(Range("content", 0, 1, 0.0),))),
        of(ASK, SAY, tools=[]),
        of(ASK, SAY, documents=[{"a": 1}]),
        of(ASK, SAY, template_kwargs={"enable_thinking": False}),
    ],
)
def test_what_a_template_or_the_loss_can_tell_apart_is_another(other):
    assert other != of(ASK, SAY)


def test_the_order_of_arguments_counts() -> None:
    assert of(ASK, SAY, tools=[{"a": 1, "b": 2}]) != of(ASK, SAY, tools=[{"b": 2, "a": 1}])


def test_the_first_place_of_each_is_remembered_while_the_table_grows() -> None:
    seen = FirstSeen()
    keys = [hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in range(5000)]
    for number, key in enumerate(keys):
        assert seen.find(key) is None
        seen.add(key, (f"f{number % 7}", number + 1))
    assert len(seen) == 5000
    assert [seen.find(key) for key in keys] == [(f"f{number % 7}", number + 1) for number in range(5000)]


def test_keys_that_fall_together_are_told_apart() -> None:
    seen = FirstSeen()
    keys = [bytes(8) + number.to_bytes(8) for number in range(50)]
    for number, key in enumerate(keys):
        seen.add(key, ("f", number + 1))
    assert [seen.find(key) for key in keys] == [("f", number + 1) for number in range(50)]
    assert seen.find(bytes(8) + (50).to_bytes(8)) is None
