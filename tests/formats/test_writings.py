"""The same conversation is the same conversation, in every shape that can carry it."""

from __future__ import annotations

import copy

import pytest
from formats.writings import WRITINGS, Call, Chat, Turn, log, messages, tool, without
from hypothesis import given
from hypothesis import strategies as st

from maskprep.conversation import NOTHING_LEFT, Where
from maskprep.formats import Reading, detect

TEXT = st.text("aä .,?é😀\n", min_size=1, max_size=20).map(lambda text: f"x{text}y")
CALLS = st.builds(
    Call,
    st.sampled_from(["rain", "sun"]),
    st.dictionaries(st.sampled_from(["city", "day"]), TEXT | st.integers(), max_size=2),
    TEXT,
)
TURNS = st.builds(
    Turn, TEXT, TEXT, thought=st.just("") | TEXT, said=st.just("") | TEXT, calls=st.lists(CALLS, max_size=2).map(tuple)
)
CHATS = st.builds(
    Chat,
    st.lists(TURNS, min_size=1, max_size=3).map(tuple),
    system=st.just("") | TEXT,
    tools=st.just((tool("rain"), tool("sun"))),
)


@pytest.mark.parametrize("name", list(WRITINGS))
@given(chat=CHATS)
def test_every_writing_is_read_as_the_same_conversation(name: str, chat: Chat) -> None:
    writing = WRITINGS[name]
    chat = without(chat, writing)
    row = writing.write(chat)
    before = copy.deepcopy(row)
    read = detect([(Where("f", 1, 0), row)], Reading(**dict(writing.config))).parse(row)
    assert row == before
    assert read == Reading().parse(writing.expected(chat)), name
    assert read.account is NOTHING_LEFT


@given(chat=CHATS)
def test_of_a_log_the_last_answer_alone_is_trained(chat: Chat) -> None:
    expected = messages(chat)
    for each in expected[:-1]:
        if each["role"] == "assistant":
            each["weight"] = 0
    read = Reading().parse(log(chat))
    assert read.messages == Reading().parse({"messages": expected}).messages
    assert read.tools
    assert read.account is NOTHING_LEFT
