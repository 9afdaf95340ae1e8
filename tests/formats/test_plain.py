"""Plain rows are read as they are by what reads all rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.errors import RowError
from maskprep.formats import Reading
from maskprep.formats import reading as module
from maskprep.formats.names import MESSAGE_FIELDS
from maskprep.formats.plain import plain_conversation
from maskprep.formats.registry import ROW_FIELDS

CONTENTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "<tool_call>", '<tool_call>{"name": "f"}</tool_call>', "<tools>[]</tools>", "[]", '{"a": 1}']
    ),
    st.sampled_from([None, 3, [], {"text": "Hi"}]),
)
ROLES = st.sampled_from(["user", "assistant", "system", "tool", "developer", "human", "gpt", " user", None, 7])
MESSAGES = st.one_of(
    st.fixed_dictionaries({"role": ROLES, "content": CONTENTS}),
    st.fixed_dictionaries({"role": ROLES, "content": CONTENTS}, optional={"name": st.just("x"), "weight": st.just(0)}),
    st.fixed_dictionaries({"from": ROLES, "value": CONTENTS}),
    st.text(max_size=3),
)
ROWS = st.one_of(
    st.fixed_dictionaries({"messages": st.lists(MESSAGES, max_size=5)}),
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGES, max_size=3)}, optional={"id": st.just(1), "tools": st.just([])}
    ),
    st.fixed_dictionaries({"conversations": st.lists(MESSAGES, max_size=3)}),
)
NULLS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (*MESSAGE_FIELDS[4:], *sorted(ROW_FIELDS - {"messages"}), "id", "mood", "functions", "prompt", "chosen"),
        st.none(),
    ),
)
FILLED = st.builds(lambda row, more: {**more, **row}, ROWS, NULLS) | st.builds(
    lambda row, more: {key: [more | one if isinstance(one, dict) else one for one in value] for key, value in row},
    ROWS.filter(lambda row: all(isinstance(value, list) for value in row.values())).map(dict.items),
    NULLS,
)
PLAIN = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}


def read(reading, row):
    try:
        conversation = reading.parse(row)
    except RowError as error:
        return error.code, error.message
    return conversation, conversation.account


@given(ROWS | FILLED, st.sampled_from(["auto", "openai"]), st.booleans(), st.booleans())
def test_a_plain_row_is_read_as_any_other(row, format, tags, chosen):  # noqa: A002
    reading = Reading(format=format, tags=tags, chosen=chosen)
    found = read(reading, row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "plain_conversation", lambda row: None)
        assert read(reading, row) == found


def test_most_rows_are_plain_and_names_of_the_data_are_heeded():
    assert plain_conversation(PLAIN) is not None
    assert plain_conversation({**PLAIN, "mood": "calm"}) is None
    nulls = [{**message, "name": None, "tool_calls": None} for message in PLAIN["messages"]]
    assert plain_conversation({"messages": nulls, "tools": None}) == plain_conversation(PLAIN)
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
    renamed = replace(Reading(), roles={"user": "assistant", "assistant": "user"})
    assert [message.role for message in renamed.parse(row).messages] == ["assistant", "user"]
