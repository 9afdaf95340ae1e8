"""Which conversations are the same, and the table that remembers them."""

from __future__ import annotations

import hashlib

import pytest

from maskprep.conversation import Conversation, Message, Range, Where
from maskprep.sources.duplicates import Repeat, digest, find_repeats, packed

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


def keys(count):
    return [hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in range(count)]


@pytest.mark.parametrize("most", [1, 7, 300, 2**24])
def test_every_row_that_was_there_before_is_found_with_its_first_place(most):
    stretches = [
        [(key, Where("f", line, 7 * line)) for line, key in enumerate(keys(number), 1)] for number in (40, 0, 100, 60)
    ]
    expected, seen = [], {}
    for number, stretch in enumerate(stretches):
        for key, where in stretch:
            if key in seen:
                expected.append(Repeat(number, where.line, where.offset, *seen[key], key))
            seen.setdefault(key, (number, where.line))
    assert len(expected) == 100
    assert find_repeats(map(packed, stretches), most) == expected


def test_digests_that_are_nearly_the_same_are_told_apart():
    near = [(bytes(8) + number.to_bytes(8), Where("f", number + 1, 0)) for number in range(50)]
    assert find_repeats([packed(near)]) == []
    near = [(number.to_bytes(8) + bytes(8), Where("f", number + 1, 0)) for number in range(50)]
    assert find_repeats([packed(near)]) == []


def test_no_rows_have_no_repeats():
    assert find_repeats([]) == []
    assert find_repeats([b"", b""]) == []
