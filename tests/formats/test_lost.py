"""What a row says in an odd place is read, or the row is rejected: nothing of it is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from formats.readings import Row, read, refused

from maskprep.conversation import Conversation

ASK, SAY = {"role": "user", "content": "Tide?"}, {"role": "assistant", "content": "High."}
CALL = {"name": "tide", "arguments": {"at": "Oslo"}}


def chat(*messages: Row, **row: object) -> Row:
    return {"messages": [ASK, *messages], **row}


def called(row: Row) -> list[Row]:
    return [call["function"] for message in read(row).messages for call in message.fields.get("tool_calls", [])]


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.fields["content"]) for message in conversation.messages]


# Calls


@pytest.mark.parametrize("key", ["arguments", "parameters", "input", "args", "params", "kwargs", "tool_input"])
@pytest.mark.parametrize("write", [dict, json.dumps, lambda value: json.dumps(json.dumps(value)), repr])
def test_arguments_are_read_by_any_of_their_names(key: str, write: Any) -> None:
    call = {"name": "tide", key: write(CALL["arguments"])}
    assert called(chat({"role": "assistant", "content": "", "tool_calls": [call]})) == [CALL]
    assert called(chat({"role": "assistant", "content": f"<tool_call>{json.dumps(call)}</tool_call>"})) == [CALL]
    assert called({"query": "Tide?", "answers": json.dumps([call]), "tools": []}) == [CALL]


@pytest.mark.parametrize(
    "call",
    [
        {"name": "tide", "arguments": {"a": 1}, "parameters": {"b": 2}},
        {"name": "tide", "inputs": {"at": "Oslo"}},
        {"function": {"name": "tide", "payload": '{"at": "Oslo"}'}},
    ],
)
def test_arguments_that_are_not_known_as_such_reject_the_row(call: Row) -> None:
    assert refused(chat({"role": "assistant", "content": "", "tool_calls": [call]})).code == "bad-tool-call"


def test_empty_arguments_beside_those_that_say_something_are_none() -> None:
    call = {"name": "tide", "arguments": {}, "parameters": CALL["arguments"]}
    assert called(chat({"role": "assistant", "content": "", "tool_calls": [call]})) == [CALL]


@pytest.mark.parametrize(
    "flag", [{"weight": 0}, {"loss": False}, {"masked": True}, {"train": False}, {"loss_mask": [0]}]
)
def test_a_word_on_the_loss_of_a_call_or_a_part_rejects_the_row(flag: Row) -> None:
    calls = [{**CALL, **flag}]
    for message in (
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL, **flag}]},
        {"role": "assistant", "content": [{"type": "text", "text": "x", **flag}]},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "tide", "input": {}, **flag}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", **flag}]},
    ):
        assert refused(chat(message)).code == "unread-field"
    items = [{"type": "function_call", "name": "tide", "arguments": "{}", "call_id": "1", **flag}]
    assert refused({"input": "Tide?", "output": items}).code == "unread-field"


def test_a_call_beside_an_assistants_role_is_one() -> None:
    message = {"role": "assistant", "content": None, "name": "tide", "arguments": json.dumps(CALL["arguments"])}
    assert called(chat(message)) == [CALL]
    assert refused(chat({**SAY, "arguments": "{}x"})).code == "bad-message"
    assert refused(chat({**SAY, "value": "Low."})).code == "bad-message"


def test_what_calls_say_themselves_is_not_lost_in_the_turn_before() -> None:
    calls = {"role": "function_call", "content": json.dumps(CALL), "reasoning_content": "I look."}
    conversation = read(chat(SAY, calls))
    assert [message.role for message in conversation.messages] == ["user", "assistant", "assistant"]
    assert conversation.messages[2].fields["reasoning_content"] == "I look."


# Results


def result(text: str, **keys: object) -> Row:
    return {"type": "tool_result", "content": text, **keys}


def test_results_keep_their_ids_and_their_place() -> None:
    conversation = read(
        chat({"role": "user", "content": [result("1", tool_use_id="a"), {"type": "text", "text": "So?"}]})
    )
    assert said(conversation)[1:] == [("tool", "1"), ("user", "So?")]
    own = read(chat({"role": "tool", "tool_call_id": "b", "name": "tide", "content": [result("1")]})).messages[1]
    assert own.fields == {"role": "tool", "content": "1", "tool_call_id": "b", "name": "tide"}


def test_results_among_what_an_assistant_says_reject_the_row() -> None:
    parts = [{"type": "text", "text": "x"}, {"type": "tool_use", "name": "tide", "input": {}}, result("1")]
    assert refused(chat({"role": "assistant", "content": parts})).code == "unsupported-part"
    assert (
        refused(chat({"role": "tool", "content": [{"type": "text", "text": "x"}, result("1")]})).code
        == "unsupported-part"
    )


@pytest.mark.parametrize("value", [{"m": 1.2}, [1, 2], [{"m": 1}]])
def test_a_result_that_is_no_text_is_its_json(value: object) -> None:
    text = json.dumps(value)
    assert read(chat({"role": "user", "content": [result(value)]})).messages[1].fields["content"] == text  # type: ignore[arg-type]
    items = [{"role": "user", "content": "x"}, {"type": "function_call_output", "call_id": "1", "output": value}]
    output = [{"type": "message", "role": "assistant", "content": "y"}]
    assert read({"input": items, "output": output}).messages[1].fields["content"] == text


def test_several_results_in_tags_are_several_messages() -> None:
    text = "<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n</tool_response>"
    assert said(read(chat(SAY, {"role": "tool", "content": text})))[2:] == [("tool", "1"), ("tool", "2")]


# Logs


@pytest.mark.parametrize(
    "answer",
    [
        {"role": "assistant", "content": "High.", "loss": False},
        {"choices": [{"message": {**SAY, "weight": 0}}]},
        {"choices": [{"message": SAY, "loss_mask": 0}]},
        {"message": SAY, "train": False},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "High."}]}, "masked": True}]},
    ],
)
def test_what_a_log_says_of_its_answers_loss_is_heeded(answer: Row) -> None:
    conversation = read({"messages": [ASK], "response": answer})
    assert said(conversation) == [("user", "Tide?"), ("assistant", "High.")]
    assert not conversation.messages[1].in_loss


def test_what_is_not_known_of_an_answer_is_named() -> None:
    conversation = read(
        {"messages": [ASK], "response": {"id": 1, "choices": [{"index": 0, "mood": "calm", "message": SAY}]}}
    )
    assert conversation.account.unread == ("response[].mood",)
    images = {"choices": [{"message": {**SAY, "images": ["x"]}}]}
    assert refused({"messages": [ASK], "response": images}).code == "unread-field"


@pytest.mark.parametrize(
    "text", ['{"content": "hello"}', '{"city": "Oslo"}', "{% if x %}", '{"message": "hi", "id": 3}']
)
def test_an_answer_that_is_the_text_of_some_json_is_that_text(text: str) -> None:
    assert said(read({"messages": [ASK], "response": text}))[1] == ("assistant", text)
    assert said(read({"prompt": "Tide?", "chosen": text, "rejected": "x"}, chosen=True))[1] == ("assistant", text)


@pytest.mark.parametrize(
    "row",
    [
        {"request": {"messages": [ASK, SAY]}, "response": "more"},
        {"request": {"contents": " "}, "response": "x"},
        {"request": {"contents": 5}, "response": "x"},
        {"messages": [ASK], "response": {"choices": [{"message": SAY}, {"message": SAY}]}},
        {"system": "X", "request": {"system": "Y", "messages": [ASK]}, "response": "x"},
        {"tools": [{"name": "a"}], "request": {"tools": [{"name": "b"}], "messages": [ASK]}, "response": "x"},
    ],
)
def test_a_log_that_is_no_answer_to_a_question_or_contradicts_itself_is_rejected(row: Row) -> None:
    assert refused(row).code in {"bad-message", "missing-field", "no-messages"}


@pytest.mark.parametrize(
    "row",
    [
        {"request": {"input": "Tide?"}, "response": {"output": [{"type": "message", **SAY}]}},
        {"messages": json.dumps([ASK]), "response": "High."},
        {"inputs": {"messages": [ASK]}, "outputs": ["High."]},
        {"messages": [ASK], "choices": [{"text": "High.", "index": 0}]},
        {"input": "Tide?", "output": [{"type": None, **SAY}]},
        {"input": "Tide?", "output": [{"type": "message", **SAY, "tool_calls": None}]},
    ],
)
def test_more_logs_are_read(row: Row) -> None:
    assert said(read(row)) == [("user", "Tide?"), ("assistant", "High.")]


def test_settings_reach_what_stands_within_a_request() -> None:
    row = {"request": {"messages": [ASK], "background": "A pier."}, "response": "High."}
    assert refused(row).code == "unread-field"
    assert said(read(row, ignore=("background",)))[0] == ("user", "Tide?")
    assert said(read(row, columns={"system": "background"}))[0] == ("system", "A pier.")


# Preference rows


def test_the_conversation_is_not_put_twice() -> None:
    whole = [ASK, SAY]
    row = {"prompt": "Tide?", "chosen": whole, "rejected": [ASK, {**SAY, "content": "No."}], "messages": whole}
    assert said(read(row, chosen=True)) == [("user", "Tide?"), ("assistant", "High.")]
    other = {**row, "messages": [{**ASK, "content": "Wind?"}, SAY]}
    assert refused(other, chosen=True).code == "preference-row"


def test_names_of_the_configuration_hold_for_chosen_messages() -> None:
    asked, answered = {"who": "pilot", "text": "Tide?"}, {"who": "mate", "text": "High."}
    row = {"chosen": [asked, answered], "rejected": [asked]}
    names = {"columns": {"role": "who", "content": "text"}, "roles": {"pilot": "user", "mate": "assistant"}}
    assert said(read(row, chosen=True, **names)) == [("user", "Tide?"), ("assistant", "High.")]


# Tags, channels, thoughts


def test_tools_stand_behind_prose_that_speaks_of_their_tags() -> None:
    tool = {"type": "function", "function": {"name": "tide"}}
    text = f"Signatures stand within <tools></tools> XML tags. <tools> {json.dumps([tool])} </tools> Call them."
    conversation = read({"messages": [{"role": "system", "content": text}, ASK, SAY]})
    assert conversation.tools == [tool]
    assert said(conversation)[0] == ("system", "Signatures stand within <tools></tools> XML tags.\nCall them.")


def test_a_call_in_a_thought_is_none_and_text_behind_a_call_is_told() -> None:
    tag = f"<tool_call>{json.dumps(CALL)}</tool_call>"
    thought = read(chat({"role": "assistant", "content": f"<think>Like {tag}?</think>No."}))
    assert "tool_calls" not in thought.messages[1].fields
    assert [finding.code for finding in thought.findings] == ["tags-in-text"]
    behind = read(chat({"role": "assistant", "content": f"before {tag} after"}))
    assert said(behind)[1] == ("assistant", "before\nafter")
    assert [finding.code for finding in behind.findings] == ["parts-reordered"]
    masked = read(chat({"role": "assistant", "content": tag, "mask_spans": [[0, 3]]}))
    assert [finding.code for finding in masked.findings] == ["tags-in-text"]


def test_channels_that_would_lose_something_reject_the_row() -> None:
    code = {"role": "assistant", "channel": "analysis", "recipient": "python", "content": "1+1"}
    assert refused(chat(code, {**SAY, "channel": "final"})).code == "bad-message"
    assert refused(chat({**SAY, "recipient": "functions.tide"})).code == "bad-message"
    masked = {"role": "assistant", "channel": "commentary", "recipient": "functions.tide", "content": "{}"}
    assert refused(chat({**masked, "mask_spans": [[0, 1]]})).code == "bad-range"


def test_ranges_of_a_channel_stay_with_their_text() -> None:
    thought = {"role": "assistant", "channel": "analysis", "content": "abc", "mask_spans": [[0, 1]]}
    answer = {"role": "assistant", "channel": "final", "content": "xyz", "mask_spans": [[2, 3]]}
    ranges = read(chat(thought, answer)).messages[1].ranges
    assert [(span.field, span.start, span.end) for span in ranges] == [("reasoning_content", 0, 1), ("content", 2, 3)]


def test_different_thoughts_of_one_turn_reject_the_row() -> None:
    parts = [{"type": "thinking", "thinking": "one"}, {"type": "text", "text": "x"}]
    details = [{"type": "reasoning.text", "text": "two"}]
    assert refused(chat({"role": "assistant", "content": parts, "reasoning_details": details})).code == "bad-message"
    assert refused(chat({**SAY, "reasoning": "one", "reasoning_content": "two"})).code == "bad-message"
    same = read(chat({**SAY, "reasoning": "one", "reasoning_content": "one"}))
    assert same.messages[1].fields["reasoning"] == "one"


def test_offsets_count_the_text_as_the_data_has_it() -> None:
    content = "<think>T</think>abcd"
    message = {"role": "assistant", "content": content, "reasoning_content": "T", "mask_spans": [[16, 20]]}
    read_message = read(chat(message)).messages[1]
    assert read_message.fields["content"] == content
    assert content[read_message.ranges[0].start : read_message.ranges[0].end] == "abcd"


# Lists of pairs


def test_an_instruction_with_its_input_is_one_question() -> None:
    row = {"conversation": [{"system": "S", "instruction": "Say it.", "input": "Tide?", "output": "High."}]}
    assert said(read(row)) == [("system", "S"), ("user", "Say it.\nTide?"), ("assistant", "High.")]


def test_an_object_that_is_no_tool_is_none() -> None:
    assert refused(chat(SAY, tools={"search": {"description": "x"}})).code == "bad-tools"


def test_a_rows_thought_that_stands_in_its_answer_is_used_once() -> None:
    row = {"prompt": "Tide?", "completion": "<think>\nLook.\n</think>\n\nHigh.", "reasoning": "Look."}
    answer = read(row).messages[1]
    assert answer.fields == {"role": "assistant", "content": "High.", "reasoning_content": "Look."}
    assert [finding.code for finding in read(row).findings] == ["reasoning-twice"]


def test_tools_of_the_row_and_of_its_text_must_be_the_same() -> None:
    tool = {"type": "function", "function": {"name": "tide"}}
    system = {"role": "system", "content": f"<tools>{json.dumps(tool)}</tools>Call them."}
    row = {"messages": [system, ASK, SAY]}
    assert read({**row, "tools": [tool]}).tools == read(row).tools == [tool]
    assert refused({**row, "tools": [{"name": "wind"}]}).code == "bad-tools"
