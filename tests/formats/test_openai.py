"""The OpenAI shape: each rule of normalisation, and each way in which a row can be wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from maskprep.conversation import RESERVED_KWARGS, Conversation
from maskprep.errors import RowError
from maskprep.formats import DEFAULT
from maskprep.policy import ROLES

ASK = {"role": "user", "content": "2+2?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}


def read(*messages: object, **row: object) -> Conversation:
    """Normalise a row, and see that the row itself is left alone."""
    given: dict[str, Any] = {"messages": list(messages), **row}
    before = copy.deepcopy(given)
    conversation = DEFAULT.parse(given)
    assert given == before
    return conversation


def fields(message: object) -> dict[str, Any]:
    return dict(read(message).messages[0].fields)


def assistant(**keys: object) -> dict[str, Any]:
    return {"role": "assistant", "content": "4", **keys}


def findings(conversation: Conversation) -> list[tuple[str, str]]:
    return [(finding.code, finding.detail) for finding in conversation.findings]


def refused(*messages: object, **row: object) -> RowError:
    with pytest.raises(RowError) as caught:
        read(*messages, **row)
    assert caught.value.hint
    return caught.value


# The row


@pytest.mark.parametrize("row", [None, [], [{"role": "user"}], "x", 1, True])
def test_a_row_must_be_an_object(row: object) -> None:
    with pytest.raises(RowError, match="the row is") as caught:
        DEFAULT.parse(row)
    assert caught.value.code == "not-an-object"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "no keys"),
        ({"talk": [], "id\x1b": 1}, r"it has 'talk', 'id\x1b'"),
        ({"dialog": []}, "dialog must be a list of messages, not an empty list"),
        ({"messages": None}, "not null"),
        ({"conversations": []}, "conversations must be a list of messages, not an empty list"),
        ({"messages": "[{"}, "messages is a string that is not JSON"),
        ({"messages": []}, "an empty list"),
        ({"messages": "[]"}, "an empty list"),
        ({"messages": "hello"}, "a string"),
        ({"messages": {}}, "an object"),
    ],
)
def test_a_row_must_have_messages(row: dict[str, Any], said: str) -> None:
    with pytest.raises(RowError) as caught:
        DEFAULT.parse(row)
    assert caught.value.code == "no-messages"
    assert said in caught.value.message
    assert caught.value.hint


def test_a_plain_row_is_kept_as_it_is() -> None:
    conversation = read({"content": " 2+2?\n", "role": "user"}, assistant(content="\u20284 "), id=7, source="x")
    assert [list(message.fields.items()) for message in conversation.messages] == [
        [("role", "user"), ("content", " 2+2?\n")],
        [("role", "assistant"), ("content", "\u20284 ")],
    ]
    assert all(message.in_loss for message in conversation.messages)
    assert conversation.tools is None
    assert conversation.documents is None
    assert conversation.template_kwargs == {}
    assert conversation.findings == ()


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_speak(role: str) -> None:
    assert fields({"role": role, "content": ""}) == {"role": role, "content": ""}


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ("hi", "bad-message", "messages[1] must be an object, not a string"),
        (None, "bad-message", "messages[1] must be an object, not null"),
        ({"content": "x"}, "bad-message", "messages[1].role must be a string, not missing"),
        ({"role": None, "content": "x"}, "bad-message", "messages[1].role must be a string, not null"),
        ({"role": 1, "content": "x"}, "bad-message", "messages[1].role must be a string, not a number"),
        ({"role": "narrator", "content": "x"}, "unknown-role", "messages[1].role is 'narrator'"),
        ({"role": "narrator", "content": "x"}, "unknown-role", "system, developer, user, assistant, tool"),
        ({"role": "", "content": "x"}, "unknown-role", "''"),
        (assistant(content=5), "bad-message", "messages[1].content must be a string or a list of parts"),
        (assistant(content={"text": "x"}), "bad-message", "not an object"),
        (assistant(content=False), "bad-message", "not a boolean"),
        ({"role": "user"}, "no-content", "messages[1].content is missing, in a message of the role user"),
        ({"role": "tool", "content": None}, "no-content", "messages[1].content is null"),
        ({"role": "user", "reasoning": "x"}, "no-content", "missing"),
        ({"role": "assistant"}, "no-content", "messages[1].content is missing"),
        ({"role": "assistant", "tool_calls": []}, "no-content", "missing"),
        (assistant(name=1), "bad-message", "messages[1].name must be a string, not a number"),
        (assistant(tool_call_id=True), "bad-message", "messages[1].tool_call_id must be"),
        (assistant(tool_call_id=1.5), "bad-message", "not a number"),
        (assistant(tool_call_id={}), "bad-message", "not an object"),
    ],
)
def test_a_bad_message_is_named(message: object, code: str, said: str) -> None:
    error = refused(ASK, message)
    assert error.code == code
    assert said in error.message


# Content


@pytest.mark.parametrize("extra", [{"content": None}, {"tool_calls": [CALL]}, {"reasoning": "r"}, {"thinking": ""}])
def test_an_assistant_without_content_says_nothing(extra: dict[str, Any]) -> None:
    assert fields({"role": "assistant", **extra}) == {"role": "assistant", **extra, "content": ""}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], ""),
        (["a "], "a "),
        ([{"type": "text", "text": "a\n"}], "a\n"),
        ([{"type": "text", "text": "a", "image_url": None}, "b", {"type": "text", "text": ""}], "a\nb\n"),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_text_parts_become_one_string(role: str, content: list[Any], text: str) -> None:
    conversation = read(ASK, {"role": role, "content": content})
    assert conversation.messages[1].fields["content"] == text
    joined = [("text-parts-joined", f"messages[1].content: {len(content)} text parts joined by a newline")]
    assert findings(conversation) == (joined if len(content) > 1 else [])


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "table", "table": {}}, "messages[0].content[1] is a part of the type 'table'"),
        ({"type": "a\x1b" + "x" * 200, "text": "a"}, r"'a\x1bxx"),
        ({"words": "a"}, "without a type"),
        ({"type": None, "text": "a", "toolUse": {}}, "without a type"),
        ({"type": "text"}, "messages[0].content[1].text, of a part of the type 'text', is null"),
        ({"type": "text", "text": 1}, "is a number"),
        (None, "is null"),
        (["a"], "is a list"),
    ],
)
def test_other_parts_are_refused(part: object, said: str) -> None:
    error = refused({"role": "user", "content": ["a", part]})
    assert error.code == "unsupported-part"
    assert said in error.message
    assert len(error.message) < 200


# Tool calls


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 12345678901234567890, "b": {"c": [null]}}', {"a": 12345678901234567890, "b": {"c": [None]}}),
        (" {} ", {}),
        (None, {}),
        ({}, {}),
    ],
)
def test_arguments_become_an_object(arguments: object, expected: dict[str, Any]) -> None:
    function = {"name": "f", "arguments": arguments, "strict": True}
    nested = {"id": 3, "function": function, "index": 0, "x": None}
    message = fields(assistant(tool_calls=[nested, function]))
    done = {**function, "arguments": expected}
    assert message["tool_calls"] == [
        {"id": 3, "function": done, "index": 0},
        {"type": "function", "function": done},
    ]
    assert list(message["tool_calls"][0]) == ["id", "function", "index"]
    assert list(message["tool_calls"][0]["function"]) == ["name", "arguments", "strict"]


BARE = {"type": "function", "function": {"name": "f", "arguments": {}}}


@pytest.mark.parametrize(
    "call",
    [
        {"name": "f"},
        {"name": "f", "arguments": ""},
        {"name": "f", "parameters": {}},
        {"function": None, "name": "f", "arguments": "{}"},
        {"type": "function", "function": {"arguments": {}, "name": "f", "strict": None}, "id": None},
    ],
)
def test_a_call_is_brought_into_the_shape_that_servers_use(call: dict[str, Any]) -> None:
    assert fields(assistant(tool_calls=[call]))["tool_calls"] == [BARE]
    assert fields(assistant(tool_calls=[{**call, "id": "c"}]))["tool_calls"] == [{**BARE, "id": "c"}]


def test_a_legacy_function_call_is_a_tool_call() -> None:
    call = {"name": "f", "arguments": '{"a": 1}'}
    said = fields({"role": "assistant", "content": None, "function_call": call})
    assert said == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    assert fields(assistant(function_call=None)) == assistant()
    assert refused({**ASK, "function_call": call}).code == "bad-message"
    assert refused(assistant(function_call="auto")).code == "bad-tool-call"


def test_a_legacy_function_result_is_a_tool_message() -> None:
    assert fields({"role": "function", "name": "f", "content": "4"}) == {"role": "tool", "name": "f", "content": "4"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("ls -la", "not JSON"),
        ('{"a": 1', "cut off"),
        ('["a"]', "the JSON is a list, not an object"),
        ('"a"', "not JSON"),
        ("3", "the JSON is a number, not an object"),
        ("{1: 2}", "not JSON"),
        ("{'a': open('x')}", "not JSON"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "occurs twice"),
    ],
)
def test_arguments_that_are_no_object_stay_a_string(arguments: str, said: str) -> None:
    call = {"function": {"name": "f", "arguments": arguments}}
    conversation = read(ASK, assistant(tool_calls=[call]))
    assert conversation.messages[1].fields["tool_calls"] == [call]
    ((code, detail),) = findings(conversation)
    assert code == "arguments-not-json"
    assert detail.startswith("messages[1].tool_calls[0].function.arguments stay a string: ")
    assert said in detail


@pytest.mark.parametrize("calls", [None, [], "", " ", "[]", "null", '"[]"'])
@pytest.mark.parametrize("role", ["assistant", "user"])
def test_no_tool_calls_are_no_key(role: str, calls: object) -> None:
    assert fields({"role": role, "content": "x", "tool_calls": calls}) == {"role": role, "content": "x"}


@pytest.mark.parametrize(
    ("calls", "code", "said"),
    [
        ({}, "bad-tool-call", "messages[0].tool_calls[0].name"),
        (3, "bad-message", "messages[0].tool_calls must be a list, not a number"),
        ("f", "bad-tool-call", "messages[0].tool_calls is no JSON of a call"),
        (["f"], "bad-tool-call", "messages[0].tool_calls[0] must be an object, not a string"),
        (
            [CALL, {}],
            "bad-tool-call",
            "messages[0].tool_calls[1].name must be a string that names the function, not missing",
        ),
        ([{"function": {}}], "bad-tool-call", "messages[0].tool_calls[0].function.name"),
        ([{"function": "f"}], "bad-tool-call", "function must be an object, not a string"),
        ([{"name": ""}], "bad-tool-call", "not an empty string"),
        ([{"name": 1}], "bad-tool-call", "not a number"),
        ([{"name": None}], "bad-tool-call", "not missing"),
        ([{"function": {"name": None}}], "bad-tool-call", "not null"),
        ([{"name": "f", "arguments": []}], "bad-tool-call", "tool_calls[0].arguments must be an object or a string"),
        ([{"name": "f", "arguments": 0}], "bad-tool-call", "not a number"),
        ([{"name": "f", "arguments": False}], "bad-tool-call", "not a boolean"),
    ],
)
def test_bad_tool_calls_are_named(calls: object, code: str, said: str) -> None:
    error = refused(assistant(tool_calls=calls))
    assert error.code == code
    assert said in error.message


def test_only_an_assistant_calls_tools() -> None:
    error = refused({**ASK, "tool_calls": [CALL]})
    assert error.code == "bad-message"
    assert "of the role user" in error.message


# Other keys


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_stays_under_its_own_key(key: str) -> None:
    assert fields(assistant(**{key: " r\n"}))[key] == " r\n"
    assert key not in fields(assistant(**{key: None}))
    error = refused(assistant(**{key: ["r"]}))
    assert error.code == "bad-message"
    assert f"messages[0].{key} must be a string, not a list" in error.message
    assert fields({**ASK, key: ["r"]})[key] == ["r"]


def test_names_ids_and_unknown_keys_are_kept_unless_null() -> None:
    message = {"role": "tool", "content": "4", "tool_call_id": "c1", "name": "f", "x": {"y": None}, "z": False}
    assert fields(message) == message
    assert fields({**message, "tool_call_id": 7})["tool_call_id"] == 7
    nulls = dict.fromkeys(["tool_call_id", "name", "x", "z"])
    assert fields({**message, **nulls}) == {"role": "tool", "content": "4"}


# Tools, documents, template variables


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"x": None}}}]


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        *((TOOLS, TOOLS), (json.dumps(TOOLS), TOOLS), (json.dumps(json.dumps(TOOLS)), TOOLS), (repr(TOOLS), TOOLS)),
        *(([json.dumps(TOOLS[0])], TOOLS), (TOOLS[0], TOOLS), (json.dumps(TOOLS[0]), TOOLS)),
        *((None, None), ([], None), ("", None), ("[]", None), ("null", None), ({}, None), ("{}", None), ('"[]"', None)),
    ],
)
def test_tools_are_a_list_of_objects_or_none(tools: object, expected: object) -> None:
    assert read(ASK, tools=tools).tools == expected


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (3, "tools must be a list of objects, not a number"),
        ("3", "tools must be a list of objects, not a number"),
        ("f", "tools is a string that is not JSON: "),
        ('[{"a": 1, "a": 2}]', "occurs twice"),
        (["f"], "tools[0] must be an object, not a string"),
        ([{"name": "f"}, None], "tools[1] must be an object, not null"),
        (False, "not a boolean"),
    ],
)
def test_bad_tools_are_named(tools: object, said: str) -> None:
    error = refused(ASK, tools=tools)
    assert error.code == "bad-tools"
    assert said in error.message


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ({"name": "f", "parameters": {}}, {"type": "function", "function": {"name": "f", "parameters": {}}}),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"name": "f", "function": None, "type": None}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "web_search", "name": "w"}, {"type": "web_search", "name": "w"}),
        ({"other": 1}, {"other": 1}),
    ],
)
def test_a_bare_function_is_given_as_servers_give_it(tool: dict[str, Any], given: dict[str, Any]) -> None:
    assert read(ASK, tools=[tool]).tools == [given]
    assert read(ASK, functions=[tool]).tools == read(ASK, functions=json.dumps([tool])).tools == [given]
    assert read(ASK, tools=[tool], functions=[tool]).tools == [given]
    assert refused(ASK, tools=TOOLS, functions=[tool]).code == "bad-tools"


def test_documents_are_a_list_of_objects_or_none() -> None:
    documents = [{"title": "t", "text": "x"}]
    assert read(ASK, documents=documents).documents == documents
    assert read(ASK, documents=None).documents is None
    assert read(ASK, documents=[]).documents is None
    bad: object
    assert read(ASK, documents=json.dumps(documents)).documents == documents
    for bad in ("3", [1], 0):
        assert refused(ASK, documents=bad).code == "bad-documents"


def test_template_variables_are_an_object() -> None:
    assert read(ASK, chat_template_kwargs={"enable_thinking": False, "x": [1]}).template_kwargs == {
        "enable_thinking": False,
        "x": [1],
    }
    assert read(ASK, chat_template_kwargs=None).template_kwargs == {}
    bad: object
    assert read(ASK, chat_template_kwargs='{"x": 1}').template_kwargs == {"x": 1}
    for bad in ([], "[]", 1):
        assert refused(ASK, chat_template_kwargs=bad).code == "bad-kwargs"


@pytest.mark.parametrize("name", sorted(RESERVED_KWARGS))
def test_reserved_variables_are_refused(name: str) -> None:
    error = refused(ASK, chat_template_kwargs={"x": 1, name: None})
    assert error.code == "reserved-kwarg"
    assert error.message == f"chat_template_kwargs may not set {name}"


def test_what_the_template_is_called_with_is_reserved() -> None:
    names = "messages tools documents chat_template add_generation_prompt continue_final_message tokenize return_dict"
    assert RESERVED_KWARGS.issuperset([*names.split(), "strftime_now", "raise_exception", "eos_token", "range"])
