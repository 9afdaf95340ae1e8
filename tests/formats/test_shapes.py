"""The same conversation in every shape is the same conversation; and what each shape alone can say or get wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.formats import Reading

Row = dict[str, Any]


def read(row: object, **keys: Any) -> Conversation:
    """Parse a row by its own shape, and see that the row itself is left alone."""
    before = copy.deepcopy(row)
    conversation = Reading(**keys).parse(row)
    assert row == before
    return conversation


def refused(row: object, **keys: Any) -> RowError:
    with pytest.raises(RowError) as caught:
        read(row, **keys)
    assert caught.value.hint
    assert len(caught.value.message) < 400
    return caught.value


def texts(conversation: Conversation) -> list[tuple[str, str, float]]:
    return [(message.role, message.fields["content"], message.weight) for message in conversation.messages]


PAIRS = [("Hello?", "Good morning."), ("Café?\nOr tea?", " Tea. "), ("再见", "😀")]
SYSTEM = "Be brief."


def openai(pairs: list[tuple[str, str]], system: str | None) -> Row:
    messages = [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    return {"messages": [*([{"role": "system", "content": system}] if system else []), *messages]}


def sharegpt(pairs: list[tuple[str, str]], system: str | None) -> Row:
    turns = [{"from": role, "value": text} for pair in pairs for role, text in zip(("human", "gpt"), pair, strict=True)]
    return {"conversations": turns, "system": system}


def alpaca(pairs: list[tuple[str, str]], system: str | None) -> Row:
    *history, (question, answer) = pairs
    instruction, _, more = question.partition("\n")
    row = {"instruction": instruction, "input": more, "output": answer, "system": system or ""}
    return {**row, "history": [list(pair) for pair in history]}


def parts(pairs: list[tuple[str, str]], system: str | None) -> Row:
    messages = openai(pairs, system)["messages"]
    return {"messages": [{**each, "content": [{"type": "text", "value": each["content"]}]} for each in messages]}


def prompt_completion(pairs: list[tuple[str, str]], system: str | None) -> Row:
    messages = openai(pairs, system)["messages"]
    return {"prompt": messages[:-1], "completion": messages[-1:]}


def two_strings(pairs: list[tuple[str, str]], system: str | None) -> Row:
    ((question, answer),) = pairs
    return {"prompt": question, "completion": answer, "system": system}


@pytest.mark.parametrize("system", [None, SYSTEM])
@pytest.mark.parametrize("pair", PAIRS)
def test_one_turn_is_equal_in_every_shape(pair: tuple[str, str], system: str | None) -> None:
    expected = read(openai([pair], system))
    assert len(expected.messages) == 2 + bool(system)
    for write in (sharegpt, alpaca, parts, prompt_completion, two_strings):
        conversation = read(write([pair], system))
        assert conversation == expected, write.__name__
        for message, other in zip(conversation.messages, expected.messages, strict=True):
            assert list(message.fields) == list(other.fields)  # templates may print a message as it stands


def test_many_turns_are_equal_where_all_answers_are_trained() -> None:
    expected = read(openai(PAIRS, SYSTEM))
    assert texts(expected)[:3] == [("system", SYSTEM, 1), ("user", "Hello?", 1), ("assistant", "Good morning.", 1)]
    for write in (sharegpt, alpaca, parts):
        assert read(write(PAIRS, SYSTEM)) == expected, write.__name__
    assert read({"messages": json.dumps(openai(PAIRS, None)["messages"]), "system": SYSTEM}) == expected


CALLS = [{"name": "rain", "arguments": {"city": "Oslo", "days": [1, None]}}, {"name": "sun", "arguments": {}}]
TOOL = {"name": "rain", "description": "Is it raining?", "parameters": {"type": "object", "properties": {}}}


def call(entry: Row, **keys: object) -> Row:
    return {"type": "function", "function": {**entry, **keys}}


def tool_rows() -> dict[str, Row]:
    """Write one conversation with two calls in each of the ways that data sets have."""
    ask, done = {"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}
    result = {"role": "tool", "content": "wet"}
    as_text = [call(entry, arguments=json.dumps(entry["arguments"])) for entry in CALLS]
    turns = [
        {"from": "human", "value": "Rain?"},
        {"from": "gpt", "value": "I look."},
        {"from": "function_call", "value": json.dumps(CALLS)},
        {"from": "observation", "value": "wet"},
        {"from": "gpt", "value": "Yes."},
    ]
    one_by_one = [*turns[:2], *({"from": "tool_call", "value": json.dumps(entry)} for entry in CALLS), *turns[3:]]
    said = [{"type": "text", "text": "I look."}, *({"type": "tool_call", "value": json.dumps(each)} for each in CALLS)]
    says = {"role": "assistant", "content": "I look."}
    wrapped = [{"type": "function", "function": TOOL}]
    return {
        "openai": {"messages": [ask, {**says, "tool_calls": as_text}, result, done], "tools": wrapped},
        "flat": {
            "messages": [ask, {**says, "tool_calls": CALLS}, {**result, "role": "ipython"}, done],
            "tools": [TOOL],
        },
        "sharegpt": {"conversations": turns, "tools": json.dumps([TOOL])},
        "one by one": {"conversation": one_by_one, "functions": [TOOL]},
        "parts": {"messages": [ask, {"role": "assistant", "content": said}, result, done], "tools": wrapped},
        "prompt": {"prompt": "Rain?", "completion": [{**says, "tool_calls": CALLS}, result, done], "tools": [TOOL]},
    }


@pytest.mark.parametrize("shape", list(tool_rows()))
def test_tool_calls_are_equal_in_every_shape(shape: str) -> None:
    rows = tool_rows()
    expected = read(rows["openai"])
    assert [message.role for message in expected.messages] == ["user", "assistant", "tool", "assistant"]
    assert expected.messages[1].fields["tool_calls"] == [call(entry) for entry in CALLS]
    assert read(rows[shape]) == expected


# Calls in a message of their own


def turns(*pairs: tuple[str, str], **keys: object) -> Row:
    return {"conversations": [{"from": who, "value": value} for who, value in pairs], **keys}


F = '{"name": "f", "arguments": "{\\"a\\": 1}"}'
F_CALL = call({"name": "f", "arguments": {"a": 1}})


def test_a_call_alone_is_an_assistants_turn() -> None:
    conversation = read(turns(("human", "x"), ("function_call", F), ("observation", "1"), ("function_call", F)))
    asked, called, _, again = conversation.messages
    assert asked.role == "user"
    assert called.fields == again.fields == {"role": "assistant", "content": "", "tool_calls": [F_CALL]}


def test_calls_join_only_what_is_one_turn() -> None:
    row = turns(("human", "x"), ("gpt", "y"), ("function_call", F))
    assert [message.role for message in read(row).messages] == ["user", "assistant"]
    row["conversations"][1]["weight"] = 0
    _, said, called = read(row).messages
    assert (said.weight, called.weight) == (0, 1)
    row["conversations"][2]["weight"] = 0
    assert [message.weight for message in read(row).messages] == [1, 0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("call f", "conversations[1].content is no JSON of a call"),
        ("[]", "holds no tool call"),
        ("3", "conversations[1].content must be an object, not a number"),
        ('{"arguments": {}}', "conversations[1].content.name must be a string"),
        ('[{"name": "f"}, null]', "conversations[1].content[1] must be an object, not null"),
        (None, "must be an object, not null"),
    ],
)
def test_a_call_that_is_none_is_named(value: object, said: str) -> None:
    error = refused({"conversations": [{"from": "human", "value": "x"}, {"from": "function_call", "value": value}]})
    assert error.code == "bad-tool-call"
    assert said in error.message


# Roles


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *(("human", "user"), ("User", "user"), ("prompter", "user"), ("gpt", "assistant"), ("chatgpt", "assistant")),
        *(("bing", "assistant"), ("bard", "assistant"), ("model", "assistant"), ("bot", "assistant")),
        *(("function", "tool"), ("observation", "tool"), ("ipython", "tool"), ("tool_response", "tool")),
        *(("function-response", "tool"), ("SYSTEM", "system"), ("developer", "developer")),
    ],
)
def test_roles_go_by_many_names(name: str, role: str) -> None:
    assert read({"messages": [{"role": name, "content": "x"}]}).messages[0].role == role
    assert read(turns((name, "x"))).messages[0].role == role


def test_roles_can_be_taught() -> None:
    row = turns(("patient", "x"), ("gpt", "y"))
    error = refused(row)
    assert error.code == "unknown-role"
    assert "roles: {'patient': user}" in error.hint
    taught = read(row, roles={"patient": "user", "gpt": "system"})
    assert [message.role for message in taught.messages] == ["user", "system"]


# Alpaca


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"instruction": "Add.", "input": "2, 2", "output": "4"}, "Add.\n2, 2"),
        ({"instruction": "Add.", "input": "", "response": "4"}, "Add."),
        ({"instruction": "Add.", "input": None, "output": None, "response": "4"}, "Add."),
        ({"instruction": "Add.", "output": "4", "response": "4"}, "Add."),
        ({"instruction": "", "input": "2+2", "output": "4"}, "2+2"),
        ({"instruction": "Add.", "context": "2, 2", "response": "4"}, "Add.\n2, 2"),
        ({"instruction": "Add.", "input": " ", "output": "4", "history": None}, "Add.\n "),
    ],
)
def test_instruction_and_input_are_the_question(row: Row, asked: str) -> None:
    assert texts(read(row)) == [("user", asked, 1), ("assistant", "4", 1)]


def test_a_history_precedes_it() -> None:
    row = {"instruction": "c", "output": "d", "history": [["a", "b"]]}
    expected = [("user", "a", 1), ("assistant", "b", 1), ("user", "c", 1), ("assistant", "d", 1)]
    assert texts(read(row)) == texts(read({**row, "history": '[["a", "b"]]'})) == expected
    assert len(read({**row, "history": ""}).messages) == len(read({**row, "history": []}).messages) == 2


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"instruction": "", "input": ""}, "missing-field", "no question"),
        ({"instruction": ["x"]}, "bad-message", "instruction must be a string, not a list"),
        ({"output": ["good", "bad"]}, "bad-message", "output must be a string, not a list"),
        ({"input": 3}, "bad-message", "input must be a string"),
        ({"history": [["a"]]}, "bad-message", "history[0] must be a pair"),
        ({"history": [["a", "b"], ["a", None]]}, "bad-message", "history[1] must be a pair"),
        ({"history": {}}, "bad-message", "not an object"),
        ({"history": "a, b"}, "bad-message", "history is a string that is not JSON"),
        ({"system": ["x"]}, "bad-message", "system must be a string"),
    ],
)
def test_a_bad_alpaca_row_is_named(change: Row, code: str, said: str) -> None:
    error = refused({"instruction": "a", "output": "b", **change})
    assert error.code == code
    assert said in error.message


# Prompt and completion


def test_what_the_assistant_says_in_the_prompt_is_not_trained() -> None:
    say = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user", "assistant")]
    conversation = read({"prompt": say[:4], "completion": say[4:]})
    assert [message.weight for message in conversation.messages] == [1, 1, 0, 1, 1]
    kept = read({"prompt": [*say[:2], {**say[2], "weight": 0.5}, say[3]], "completion": say[4:]})
    assert [message.weight for message in kept.messages] == [1, 1, 0.5, 1, 1]
    mixed = read({"prompt": say[:4], "completion": "done"})
    assert texts(mixed)[-1] == ("assistant", "done", 1)


def test_an_empty_completion_is_none_where_the_response_says_something() -> None:
    for empty in ("", " ", None, []):
        assert texts(read({"prompt": "a", "completion": empty, "response": "x"}))[-1] == ("assistant", "x", 1)
    assert texts(read({"prompt": "a", "completion": ""}))[-1] == ("assistant", "", 1)
    assert texts(read({"prompt": "a", "completion": "", "response": ""}))[-1] == ("assistant", "", 1)


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ({"prompt": "a", "completion": None}, "missing-field", "completion is null"),
        ({"completion": "b"}, "missing-field", "prompt is missing"),
        ({"prompt": 1, "completion": "b"}, "bad-message", "prompt must be a string or a list"),
        ({"prompt": [], "completion": "b"}, "no-messages", "an empty list"),
        ({"prompt": "a", "completion": [{"role": "x", "content": ""}]}, "unknown-role", "completion[0].role"),
    ],
)
def test_a_bad_prompt_or_completion_is_named(row: Row, code: str, said: str) -> None:
    error = refused(row, format="prompt_completion")
    assert error.code == code
    assert said in error.message


# Beside the messages


def test_a_system_prompt_beside_the_messages_comes_first() -> None:
    row = openai([("a", "b")], None)
    assert texts(read({**row, "system": "s"}))[0] == ("system", "s", 1)
    both = openai([("a", "b")], "s")
    assert read({**both, "system": "s \n"}) == read(both)
    assert texts(read({**row, "system": "s", "system_prompt": "s "}))[0] == ("system", "s", 1)
    assert read({**both, "system": "s"}) == read(both)
    assert "another one" in refused({**both, "system": "t"}).message


@pytest.mark.parametrize(("key", "code"), [("documents", "bad-documents"), ("chat_template_kwargs", "bad-kwargs")])
def test_a_text_that_is_no_json_is_named_by_what_it_should_be(key: str, code: str) -> None:
    error = refused({"prompt": "a", "completion": "b", key: "text"})
    assert error.code == code
    assert key in error.hint


def test_a_yes_under_reasoning_is_no_thought() -> None:
    row = {"prompt": "a", "completion": "b"}
    assert read({**row, "reasoning": []}) == read(row)
    assert read({**row, "thinking": True}).account.unread == ("thinking",)
    both = read({**row, "thinking": True, "reasoning": "So."})
    assert both.messages[1].fields["reasoning_content"] == "So."


def test_a_history_precedes_calls() -> None:
    row = {"query": "a", "answers": '[{"name": "f", "arguments": {}}]', "tools": [TOOL], "history": [["x", "y"]]}
    conversation = read(row)
    assert texts(conversation)[:3] == [("user", "x", 1), ("assistant", "y", 1), ("user", "a", 1)]
    assert len(conversation.messages[3].fields["tool_calls"]) == 1


def test_one_text_is_explained() -> None:
    error = refused({"text": "Once upon a time", "id": 3})
    assert error.code == "plain-text"
    assert "no turns" in error.message
    assert refused({"text": "x"}, format="openai").code == "plain-text"
    assert refused({"body": "x"}, columns={"text": "body"}).code == "plain-text"
    assert texts(read({"text": "x", "prompt": "a", "completion": "b"})) == [("user", "a", 1), ("assistant", "b", 1)]


@pytest.mark.parametrize("key", ["images", "image", "video"])
def test_rows_around_pictures_are_refused(key: str) -> None:
    row = turns(("human", "<image>What is it?" if key != "video" else "<video>"), ("gpt", "A cat."))
    assert refused({**row, key: ["cat.png"]}).code == "media-part"
    assert read({**row, key: []}) == read(row)
    blind = {**turns(("human", "a"), ("gpt", "b")), key: ["cat.png"]}  # no place in the text speaks of it
    assert refused(blind).code == "media-part"
    assert f"ignore: [{key}]" in refused(blind).hint
    assert read(blind, ignore=(key,)) == read(turns(("human", "a"), ("gpt", "b")))
