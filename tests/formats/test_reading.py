"""Which shape the rows of a file have, and what happens where they have several; names of fields."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats import DEFAULT, Line, Reading, detect, parse

MESSAGES = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
ALPACA = {"instruction": "a", "input": "", "output": "b"}
PROMPT = {"prompt": "a", "completion": "b"}
ROWS: dict[str, dict[str, Any]] = {
    "openai": MESSAGES,
    "sharegpt": SHAREGPT,
    "alpaca": ALPACA,
    "prompt_completion": PROMPT,
}
UNKNOWN: list[object] = [{}, [], None, "x", {"text": "x"}, {"frage": "a", "antwort": "b"}, {"messages": None}]
UNKNOWN += [{"messages": []}, {"conversation": []}, {"messages": ["x"]}, {"messages": "x"}, {"conversations": {}}]


def numbered(*rows: object) -> list[tuple[Where, object]]:
    return [(Where("data.jsonl", line, 0), row) for line, row in enumerate(rows, 1)]


@pytest.mark.parametrize("shape", list(ROWS))
def test_the_first_row_of_a_known_shape_decides(shape: str) -> None:
    reading = detect(numbered(*UNKNOWN, ROWS[shape], ROWS[shape]), DEFAULT)
    assert reading == replace(DEFAULT, format=shape, decided_by=Where("data.jsonl", len(UNKNOWN) + 1, 0))
    assert pickle.loads(pickle.dumps(reading)) == reading
    assert reading.parse(ROWS[shape]) == DEFAULT.parse(ROWS[shape]) == DEFAULT.parse(MESSAGES)


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({"messages": SHAREGPT["conversations"]}, "sharegpt"),
        ({"conversations": MESSAGES["messages"]}, "openai"),
        ({"conversation": SHAREGPT["conversations"]}, "sharegpt"),
        ({"messages": None, **SHAREGPT}, "sharegpt"),
        ({"messages": json.dumps(MESSAGES["messages"])}, "openai"),
        ({**PROMPT, **MESSAGES}, "openai"),
        ({"question": "a", "answer": "b"}, "question_answer"),
        ({"Query": "a", "Response": "b"}, "question_answer"),
        ({"data": ["a", "b"]}, "texts"),
        ({"conversation": [{"human": "a", "assistant": "b"}]}, "pairs"),
        (
            {"contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": {"text": "b"}}]},
            "gemini",
        ),
        ({"input": "a", "output": [{"type": "message", "role": "assistant", "content": "b"}]}, "responses"),
        ({"messages": MESSAGES["messages"][:1], "response": "b"}, "log"),
        ({"query": "a", "answers": "[]", "tools": []}, "xlam"),
        ({"prompt": "a", "response": "b"}, "prompt_completion"),
        ({"instruction": "a", "response": "b"}, "alpaca"),
        ({"prompt": MESSAGES["messages"], "completion": "x"}, "prompt_completion"),
        ({"question": "a", "answer": "b", "input": ""}, "question_answer"),
        ({"problem": "a", "solution": "b", "output": " "}, "question_answer"),
        ({"prompt": "", "completion": "", "question": "a", "answer": "b"}, "question_answer"),
        ({**PROMPT, "items": [{"sku": 1}]}, "prompt_completion"),
        ({**PROMPT, "items": ["milk", "eggs"]}, "prompt_completion"),
        ({**PROMPT, "items": '["milk", "eggs"]'}, "prompt_completion"),
        ({**PROMPT, "items": '[{"sku": 1}]'}, "prompt_completion"),
        ({"items": json.dumps(MESSAGES["messages"])}, "openai"),
        ({"items": MESSAGES["messages"]}, "openai"),
        ({"messages": "", "conversations": MESSAGES["messages"]}, "openai"),
        ({"conversations": "abc", "dialog": MESSAGES["messages"]}, "openai"),
        ({"messages": [], "dialog": ["a", "b"]}, "texts"),
    ],
)
def test_a_row_tells_its_shape(row: dict[str, Any], shape: str) -> None:
    assert DEFAULT.format_of(row) == shape
    assert detect(numbered(row), DEFAULT).format == shape
    DEFAULT.parse(row)


def test_a_file_of_unknown_rows_is_read_so_that_each_has_its_reason() -> None:
    reading = detect(numbered(*UNKNOWN), DEFAULT)
    assert reading == replace(DEFAULT, format="openai")
    assert detect([], DEFAULT).format == "openai"
    codes = set()
    for row in UNKNOWN:
        with pytest.raises(RowError) as caught:
            reading.parse(row)
        codes.add(caught.value.code)
    assert codes == {"no-messages", "not-an-object", "plain-text", "bad-message"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"turns": ["Write a verse.", "Write it again."]}, "questions alone"),
        ({"turns": '["Write a verse.", "Write it again."]'}, "questions alone"),
        ({"dialog": ["Human: hi", "Assistant: hello"]}, "begin with who says them"),
        ({"messages": ["### User: hi", "### Bot: hello"]}, "begin with who says them"),
    ],
)
def test_texts_that_may_be_no_turns_are_read_only_where_the_format_says_so(row: dict[str, Any], said: str) -> None:
    decided = [detect(numbered(ROWS[shape], row), DEFAULT) for shape in ROWS]
    decided.append(detect(numbered({"dialog": ["a", "b"]}), DEFAULT))
    for reading in (DEFAULT, detect(numbered(row), DEFAULT), Reading(format="openai"), *decided):
        with pytest.raises(RowError) as caught:
            reading.parse(row)
        assert caught.value.code == "no-messages"
        assert said in caught.value.message
        assert "format: texts" in caught.value.hint
    assert [each.role for each in Reading(format="texts").parse(row).messages] == ["user", "assistant"]


@pytest.mark.parametrize("first", list(ROWS))
@pytest.mark.parametrize("second", list(ROWS))
def test_two_shapes_in_one_file_name_both_lines(first: str, second: str) -> None:
    rows = numbered({}, ROWS[first], ROWS[first], ROWS[second])
    if first == second:
        assert detect(rows, DEFAULT).format == first
        return
    with pytest.raises(UsageError) as caught:
        detect(rows, DEFAULT)
    assert caught.value.message == f"data.jsonl:2 has the format {first}, but data.jsonl:4 the format {second}"
    assert "mixed_formats" in caught.value.hint
    mixed = detect(rows, Reading(mixed=True))
    assert mixed == Reading(mixed=True)
    assert mixed.parse(ROWS[first]) == mixed.parse(ROWS[second])


def test_a_later_row_of_another_shape_is_rejected() -> None:
    reading = detect(numbered(SHAREGPT), DEFAULT)
    with pytest.raises(RowError) as caught:
        reading.parse(ALPACA)
    assert caught.value.code == "mixed-formats"
    assert caught.value.message == "the row has the format alpaca, not the sharegpt that data.jsonl:1 has"
    assert "mixed_formats" in caught.value.hint


def test_a_format_that_was_named_is_not_detected() -> None:
    reading = Reading(format="prompt_completion")
    assert detect(numbered(MESSAGES, ALPACA), reading) is reading
    both = {**MESSAGES, "prompt": "p", "completion": "c"}
    with pytest.raises(RowError) as caught:
        reading.parse(both)
    assert (caught.value.code, "ignore: [messages]" in caught.value.hint) == ("unread-field", True)
    assert replace(reading, ignore=("messages",)).parse(both).messages[0].fields["content"] == "p"
    with pytest.raises(RowError) as caught:
        reading.parse(MESSAGES)
    assert caught.value.code == "mixed-formats"
    assert "that the configuration names" in caught.value.message
    with pytest.raises(RowError) as caught:
        reading.parse({"prompt": "p"})
    assert caught.value.code == "missing-field"


@pytest.mark.parametrize(
    ("row", "columns", "shape"),
    [
        ({"q": "a", "a": "b"}, {"prompt": "q", "completion": "a"}, "prompt_completion"),
        ({"task": "a", "answer": "b"}, {"instruction": "task", "output": "answer"}, "alpaca"),
        ({"dialog": MESSAGES["messages"]}, {"messages": "dialog"}, "openai"),
        (
            {"dialog": [{"who": "user", "says": "a", "content": "?"}, {"who": "model", "says": "b"}], "messages": 1},
            {"messages": "dialog", "role": "who", "content": "says"},
            "openai",
        ),
        (
            {"dialog": [{"who": "human", "says": "a"}, {"who": "gpt", "says": "b"}]},
            {"conversations": "dialog", "from": "who", "value": "says"},
            "sharegpt",
        ),
        ({"prompt": "b", "completion": "a"}, {"prompt": "completion", "completion": "prompt"}, "prompt_completion"),
        (
            {"text": [{"role": "user", "text": "a"}, {"role": "bot", "text": "b"}]},
            {"messages": "text", "content": "text"},
            "openai",
        ),
    ],
)
def test_fields_can_be_mapped(row: dict[str, Any], columns: dict[str, str], shape: str) -> None:
    reading = detect(numbered(row), Reading(columns=columns))
    assert reading.format == shape
    assert reading.parse(row) == DEFAULT.parse(MESSAGES)


def test_a_field_that_is_not_there_keeps_its_name() -> None:
    reading = Reading(columns={"messages": "dialog", "tools": "functions_json"})
    assert reading.parse(MESSAGES) == DEFAULT.parse(MESSAGES)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Reading(columns={"mesages": "dialog"})
    assert "no field 'mesages'" in caught.value.message
    assert "'messages'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        Reading(columns={"zzzz": "y"})
    assert "instruction" in caught.value.hint


def test_parse_makes_a_conversation_of_a_line() -> None:
    where = Where("a.jsonl", 1, 0)
    for row in ROWS.values():
        assert parse(Line(where, json.dumps(row).encode())) == DEFAULT.parse(MESSAGES)
    named = Line(where, json.dumps(ALPACA).encode(), reading=Reading(format="alpaca"))
    assert parse(named) == DEFAULT.parse(MESSAGES)
    fault = RowError("row-too-large", "too large")
    for line, code in (
        (Line(where, b"", fault), "row-too-large"),
        (Line(where, b"{"), "not-json"),
        (Line(where, b"[]"), "not-an-object"),
        (Line(where, b"{}"), "no-messages"),
    ):
        with pytest.raises(RowError) as caught:
            parse(line)
        assert caught.value.code == code
