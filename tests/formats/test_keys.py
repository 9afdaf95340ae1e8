"""Every key of a row is read, known to mean nothing, named, or rejects the row."""

from __future__ import annotations

import json
import string

import pytest
from bundled import ROOT
from formats.accounts import unaccounted
from formats.readings import Row, read, refused
from hypothesis import assume, given
from hypothesis import strategies as st

from maskprep.conversation import NOTHING_LEFT, Conversation, Where
from maskprep.errors import RowError
from maskprep.formats import Reading, detect
from maskprep.formats.keys import MEANINGLESS, MEDIA, Speaks, speaks_of
from maskprep.formats.names import MESSAGE_FIELDS
from maskprep.formats.registry import ROW_FIELDS
from maskprep.formats.weights import MASKED_KEYS, TRAINED_KEYS

ASK = {"role": "user", "content": "How deep is the harbour?"}
SAY = {"role": "assistant", "content": "Nine metres."}


def chat(message: Row | None = None, **row: object) -> Row:
    return {"messages": [ASK, {**SAY, **(message or {})}], **row}


KEYS = st.text(string.ascii_letters + "_-.é ", min_size=1, max_size=12)
VALUES = st.sampled_from(["words", 3, 0.5, True, False, ["a"], {"a": 1}])


@given(key=KEYS, value=VALUES)
def test_an_unknown_key_of_a_row_is_named(key: str, value: object) -> None:
    assume(key not in ROW_FIELDS and key not in MEANINGLESS and key not in MEDIA)
    row = chat(**{key: value})
    if speaks_of(key, value, in_message=False) is None:
        assert read(row).account.unread == (key,)
    else:
        error = refused(row)
        assert error.code == "unread-field"
        assert error.facts == {"not_read": [key]}
    assert read(row, ignore=(key,)).account.unread == ()


@given(key=KEYS, value=VALUES)
def test_an_unknown_key_of_a_message_is_named(key: str, value: object) -> None:
    assume(key not in MESSAGE_FIELDS and key not in MEANINGLESS)
    row = chat({key: value})
    if speaks_of(key, value, in_message=True) is None:
        assert read(row).account.unread == (f"messages[].{key}",)
    else:
        error = refused(row)
        assert error.code == "unread-field"
        assert error.facts == {"not_read": [f"messages[].{key}"]}
    for ignored in (key, f"messages[].{key}"):
        assert read(row, ignore=(ignored,)).account.unread == ()


@given(key=KEYS, value=st.sampled_from([None, "", " ", [], {}, [None, ""]]))
def test_a_key_that_says_nothing_is_nothing(key: str, value: object) -> None:
    assume(key not in ROW_FIELDS)
    assert read(chat(**{key: value})).account is NOTHING_LEFT


@pytest.mark.parametrize("key", MEANINGLESS)
def test_a_meaningless_key_is_no_news(key: str) -> None:
    for value in ("x", 3, ["x"], {"a": 1}):
        if key not in ROW_FIELDS:
            assert read(chat(**{key: value})).account is NOTHING_LEFT
        if key not in MESSAGE_FIELDS:
            assert read(chat({key: value})).account is NOTHING_LEFT


def test_what_is_read_is_not_called_meaningless() -> None:
    assert not MEANINGLESS.keys() & {*ROW_FIELDS, *MESSAGE_FIELDS}
    assert all(MEANINGLESS.values())


# The loss


@pytest.mark.parametrize("key", TRAINED_KEYS)
@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "no", "0"])
def test_a_key_of_the_loss_with_a_false_value_leaves_the_turn_untrained(key: str, value: object) -> None:
    conversation = read({"messages": [ASK, {**SAY, key: value}, ASK, SAY]})
    assert [message.in_loss for message in conversation.messages] == [True, False, True, True]
    assert all(message.fields.keys() == {"role", "content"} for message in conversation.messages)


@pytest.mark.parametrize("key", MASKED_KEYS)
@pytest.mark.parametrize("value", [True, 1, "true", "yes"])
def test_a_key_that_masks_with_a_true_value_leaves_the_turn_untrained(key: str, value: object) -> None:
    conversation = read({"messages": [ASK, {**SAY, key: value}, ASK, {**SAY, key: not value}]})
    assert [message.in_loss for message in conversation.messages] == [True, False, True, True]


@given(
    words=st.lists(st.sampled_from(["turn", "loss", "mask", "Train", "step", "is", "assistant", "masked"]), min_size=1),
    value=st.sampled_from([False, 0, 0.0, [0, 1], [False], "false"]),
)
def test_a_key_that_is_like_those_of_the_loss_rejects_the_row_or_leaves_the_turn_untrained(
    words: list[str], value: object
) -> None:
    key = "_".join(words)
    assume({word.lower() for word in words} & {"loss", "mask", "train", "masked"})
    row = chat({key: value})
    if key in {*TRAINED_KEYS, *MASKED_KEYS} and not isinstance(value, list):
        assert read(row).messages[1].in_loss is (key in MASKED_KEYS)
    else:
        assert refused(row).code == "unread-field"


def test_a_mask_of_single_tokens_is_nothing_that_can_be_followed() -> None:
    error = refused(chat({"loss_mask": [0, 0, 1]}))
    assert error.code == "unread-field"
    assert "ignore: [loss_mask]" in error.hint
    assert read(chat({"loss_mask": [0, 0, 1]}), ignore=("loss_mask",)).messages[1].in_loss


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("label", "good"), ("label", 1), ("labels", [1]), ("winner", "a"), ("choices", ["a"])),
        *(
            ("rejected_reply", "b"),
            ("gold_output", "c"),
            ("loss_mask", [0, 1]),
            ("token_loss_mask", [1]),
            ("loss", 1.7),
        ),
    ],
)
def test_a_row_that_judges_its_answers_is_not_trained_over(key: str, value: object) -> None:
    error = refused(chat(**{key: value}))
    assert error.code == "unread-field"
    assert f"ignore: [{key}]" in error.hint
    assert read(chat(**{key: value}), ignore=(key,)).messages == read(chat()).messages


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("kto_tag", False), ("good", False), ("bad", True), ("rejected", True), ("preferred", False)),
        *(("is_chosen", 0), ("isCorrect", False), ("learn", False), ("supervised", 0), ("skip", True)),
        ("exclude", "true"),
    ],
)
def test_a_verdict_against_an_answer_rejects_the_row_and_one_for_it_is_named(key: str, value: object) -> None:
    other = {"true": "false", "false": "true"}.get(value) if isinstance(value, str) else not value
    assert refused(chat(**{key: value})).code == "unread-field"
    assert refused(chat({key: value})).code == "unread-field"
    assert read(chat(**{key: other})).account.unread == (key,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("sample_weight", 0), ("weights", [0, 1]), ("sampleWeight", 0.5), ("train_on_roles", ["assistant"])),
        *(("loss_scale", ["ignore"]), ("loss_scale", "ignore"), ("mask", "User"), ("masked_tokens", [0, 1])),
        *(("loss", 0.0), ("loss", 1.0), ("loss", 1.7)),
    ],
)
def test_what_a_row_says_of_its_loss_in_words_of_its_own_rejects_it(key: str, value: object) -> None:
    assert refused(chat(**{key: value})).code == "unread-field"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("turns", 1), ("chat", True), ("history", 0.5), ("documents_id", "x"), ("passage_id", "x")),
        *(("is_reasoning_complete", [True, False]), ("has_reasoning", "yes"), ("cot_type", "math")),
        *(("reasoning_tokens", "12"), ("thinkingLen", "3"), ("chosen-model", "m"), ("chosen_model", "m")),
        *(("chosen-rating", "5"), ("rejected_score", "1"), ("loss_type", 1), ("conversation", "abc")),
    ],
)
def test_what_tells_about_something_else_is_only_named(key: str, value: object) -> None:
    assert read(chat(**{key: value})).account.unread == (key,)


@pytest.mark.parametrize("value", [False, True, "false", "true"])
def test_a_yes_or_a_no_under_loss_is_the_weight_of_the_row(value: object) -> None:
    assert read(chat(loss=value)).messages[1].in_loss is (value in {True, "true"})


def test_a_row_out_of_the_loss_trains_nothing() -> None:
    for row in (chat(train=False), chat(masked=True), chat(trainable="false"), chat(loss_mask=0)):
        assert not read(row).messages[1].in_loss


# Context and reasoning


@pytest.mark.parametrize(
    "key",
    [
        *("history", "instruction", "context", "documents_json", "persona", "few_shot", "query", "retrieved", "input"),
        *("options", "meta_instruction", "preamble", "custom_instruction", "customInstructions", "developer"),
        *("sysprompt", "few_shot_examples", "article", "table", "schema", "premise", "passage", "passage_text"),
    ],
)
def test_context_that_no_shape_reads_rejects_the_row(key: str) -> None:
    error = refused(chat(**{key: "You stand on a pier."}))
    assert error.code == "unread-field"
    assert "context" in error.message


@pytest.mark.parametrize(
    "key", ["tool_invocations", "toolInvocations", "parts", "system", "history", "tool_uses", "context"]
)
def test_context_that_a_message_holds_rejects_the_row(key: str) -> None:
    assert refused(chat({key: [{"text": "x"}]})).code == "unread-field"
    assert read(chat({key: True})).account.unread == (f"messages[].{key}",)


@pytest.mark.parametrize("key", ["tool_call", "toolCalls", "functionCall", "toolInvocations"])
def test_calls_by_another_name_speak(key: str) -> None:
    assert speaks_of(key, {"name": "f"}, in_message=True) is Speaks.CONTEXT


@pytest.mark.parametrize("key", ["prompt", "instruction", "answer", "response"])
def test_what_stands_in_the_messages_already_is_no_loss(key: str) -> None:
    text = SAY["content"] if key in {"answer", "response"} else ASK["content"]
    assert read(chat(**{key: text})).account.unread == (key,)
    assert refused(chat(**{key: "Another text."})).code == "unread-field"


@pytest.mark.parametrize(
    "key", ["system", "system_prompt", "system_message", "systemPrompt", "systemInstruction", "sys_prompt"]
)
@pytest.mark.parametrize(
    "row",
    [chat(), {"prompt": "a", "completion": "b"}, {"instruction": "a", "output": "b"}, {"query": "a", "answer": "b"}],
)
def test_a_system_prompt_is_read_by_any_name_in_every_shape(key: str, row: Row) -> None:
    for value in ("Be brief.", [{"text": "Be brief."}], {"parts": [{"text": "Be brief."}]}):
        first = read({**row, key: value}).messages[0]
        assert (first.role, first.fields["content"]) == ("system", "Be brief.")


@pytest.mark.parametrize("key", ["tools", "functions", "tool_defs", "available_tools", "tool_schemas"])
def test_tools_are_read_by_any_name(key: str) -> None:
    tools = [{"name": "f", "parameters": {}}]
    expected = [{"type": "function", "function": tools[0]}]
    for value in (tools, json.dumps(tools), [json.dumps(tools[0])]):
        assert read(chat(**{key: value})).tools == expected
        assert read({"prompt": "a", "completion": "b", key: value}).tools == expected


@pytest.mark.parametrize("key", sorted(MEDIA))
def test_pictures_sound_and_files_reject_the_row(key: str) -> None:
    assert refused(chat(**{key: ["x.jpg"]})).code == "media-part"
    assert refused({"prompt": "a", "completion": "b", key: "x.jpg"}).code == "media-part"
    assert read(chat(**{key: []})).account is NOTHING_LEFT
    if key not in MESSAGE_FIELDS:
        assert refused(chat({key: ["x.jpg"]})).code == "unread-field"


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content", "thinking"])
def test_a_rows_reasoning_is_that_of_its_only_answer(key: str) -> None:
    thought = "It says so on the chart."
    for row in (
        chat(),
        {"prompt": "a", "completion": "b"},
        {"instruction": "a", "output": "b"},
        {"q": 1, "query": "a", "answer": "b"},
    ):
        answer = read({**row, key: thought}).messages[-1]
        assert answer.fields["reasoning_content"] == thought
    earlier = {"prompt": [ASK, SAY, ASK], "completion": "Ten."}
    assert read({**earlier, key: thought}).messages[-1].fields["reasoning_content"] == thought
    two = {"messages": [ASK, SAY, ASK, SAY], key: thought}
    assert refused(two).code == "unread-field"  # whose it is, nobody can tell


@pytest.mark.parametrize(
    "key", ["cot", "Complex_CoT", "chain_of_thought", "rationale", "thought", "thinkingText", "think", "complexCoT"]
)
def test_reasoning_by_another_name_can_be_mapped_or_rejects_the_row(key: str) -> None:
    row = {"prompt": "a", "completion": "b", key: "Because."}
    error = refused(row)
    assert error.code == "unread-field"
    assert f"columns: {{reasoning_content: {key}}}" in error.hint
    mapped = read(row, columns={"reasoning_content": key})
    assert mapped.messages[1].fields["reasoning_content"] == "Because."
    assert mapped.account.columns == ("reasoning_content",)
    assert refused(chat({key: "Because."})).code == "unread-field"


DETAILS = [{"type": "reasoning.text", "text": "One."}, {"type": "reasoning.summary", "summary": "Two."}]
BLOCKS = [{"type": "thinking", "thinking": "One.\nTwo.", "signature": "x"}]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_details": DETAILS},
        {"reasoning_details": json.dumps(DETAILS)},
        {"thinking_blocks": BLOCKS},
        {"thinking_blocks": BLOCKS, "reasoning_details": DETAILS},
        {"reasoning_details": [*DETAILS, {"type": "reasoning.text", "text": "", "signature": "x"}]},
    ],
)
def test_reasoning_in_pieces_is_reasoning(fields: Row) -> None:
    conversation = read(chat(fields))
    assert conversation.messages[1].fields == {**SAY, "reasoning_content": "One.\nTwo."}
    assert conversation.account is NOTHING_LEFT
    beside = read(chat({**fields, "reasoning": "One. Two."}))
    assert beside.messages[1].fields == {**SAY, "reasoning": "One. Two."}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, "unread-field"),
        ({"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}, "unread-field"),
        ({"reasoning_details": [{"type": "other", "words": "x"}]}, "unread-field"),
        ({"reasoning_details": {"text": "x"}}, "unread-field"),
        ({"reasoning_details": [3]}, "unread-field"),
        ({"reasoning_details": DETAILS, "thinking_blocks": [{"thinking": "Three."}]}, "bad-message"),
        ({"reasoning_details": DETAILS, "reasoning": "Three."}, "bad-message"),
    ],
)
def test_reasoning_that_cannot_be_read_rejects_the_row(fields: Row, code: str) -> None:
    assert refused(chat(fields)).code == code


def test_a_thought_that_stands_twice_is_used_once_and_told() -> None:
    twice = read(chat({"content": "<think>\nSo it is.\n</think>\n\nYes.", "reasoning_content": "So it is."}))
    assert twice.messages[1].fields == {**SAY, "content": "Yes.", "reasoning_content": "So it is."}
    assert [finding.code for finding in twice.findings] == ["reasoning-twice"]
    other = chat({"content": "<think>Or not.</think>Yes.", "reasoning_content": "So it is."})
    kept = read(other)
    assert kept.messages[1].fields["content"] == "<think>Or not.</think>Yes."
    assert [finding.code for finding in kept.findings] == ["reasoning-twice"]
    alone = read(chat({"content": "<think>Or not.</think>Yes."}))
    assert alone.findings == ()


def test_a_refusal_is_what_the_model_said() -> None:
    assert read(chat({"content": None, "refusal": "No."})).messages[1].fields == {**SAY, "content": "No."}
    assert read(chat({"refusal": None})).messages[1].fields == SAY


# Columns, roles, ignore


def test_the_entries_that_were_used_are_told() -> None:
    row = {"talk": [{"who": "pilot", "says": "a"}, {"who": "gpt", "says": "b"}]}
    columns = {"messages": "talk", "role": "who", "content": "says", "tools": "tool_list_2"}
    account = read(row, columns=columns, roles={"pilot": "user", "mate": "user"}).account
    assert account.columns == ("messages", "role", "content")
    assert account.roles == ("pilot",)


def test_a_key_whose_name_was_given_to_another_is_named() -> None:
    row = {"talk": [{**ASK, "text": "b"}, {**SAY, "text": "c"}], "messages": [1], "prompt": "Another text."}
    assert refused(row, columns={"messages": "talk"}).code == "unread-field"
    account = read(row, columns={"messages": "talk", "content": "text"}, ignore=("prompt",)).account
    assert account.unread == ("messages", "messages[].content")


def test_a_row_of_unknown_keys_is_answered_with_a_mapping_that_was_tried() -> None:
    error = refused({"id": 1, "antwort": "Neun Meter.", "frage": "Wie tief?"})
    assert error.code == "no-messages"
    assert error.hint == "columns: {prompt: frage, completion: antwort} reads this row: it was tried"
    assert texts(read({"frage": "a", "antwort": "b"}, columns={"prompt": "frage", "completion": "antwort"})) == [
        "a",
        "b",
    ]
    listed = {"log": [{"speaker": "user", "line": "a"}, {"speaker": "bot", "line": "b"}], "id": 3}
    hint = refused(listed).hint
    assert hint == "columns: {messages: log, role: speaker, content: line} reads this row: it was tried"
    assert "was tried" not in refused({"only": "one text"}).hint


HEARD = [("human", "a"), ("ai", "b")]


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"messages": [{"type": who, "content": text} for who, text in HEARD]}, "role: type"),
        ({"messages": [{"speaker": who, "text": text} for who, text in HEARD]}, "role: speaker, content: text"),
        ({"messages": [{"author": who, "content": text} for who, text in HEARD]}, "role: author"),
        ({"turns": [{"by": who, "id": "7", "says": text} for who, text in HEARD]}, "role: by, content: says"),
        ({"frage": "a", "antwort": "b", "sys_text": "c"}, "prompt: frage, completion: antwort, system: sys_text"),
        ({"q": "a", "a": "b", "cot_text": "c"}, "prompt: q, completion: a, reasoning_content: cot_text"),
        ({"prompt": "a", "antwort": "b"}, "completion: antwort"),
        ({"frage": "a", "erwiderung": "b", "frage_id": "c"}, "prompt: frage, completion: erwiderung"),
    ],
)
def test_a_mapping_is_advised_where_it_reads_all_that_the_row_says(row: Row, mapping: str) -> None:
    for reading in (Reading(), Reading(format="openai"), detect([(Where("f", 1, 0), row)], Reading())):
        with pytest.raises(RowError) as caught:
            reading.parse(row)
        assert caught.value.hint == f"columns: {{{mapping}}} reads this row: it was tried"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "model_a": "m"},
        {"prompt": "a", "model_a": "m", "model_b": "n", "response_a": "b", "response_b": "c"},
        {"prompt": "a", "response_0": "b", "response_1": "c"},
        {"system": "s", "chat": "USER: a ASSISTANT: b"},
        {"problem_type": "algebra", "expected_answer": "4"},
        {"problem": "a", "solution": "b", "answer": "4"},
        {"context": [ASK], "response1": "b", "response2": "c"},
        {"frage": "a", "kontext": "c", "antwort": "b"},
        {"frage": "a", "antwort": "b", "belege": ["c"]},
        {"frage": "a", "kontext": "c"},
        {"one": "a", "two": "b"},
        {"log": [{"by": "user", "says": "a", "means": "c"}, {"by": "bot", "says": "b"}]},
        {"one": [ASK, SAY], "two": [ASK, SAY]},
    ],
)
def test_no_mapping_is_advised_that_would_lose_what_the_row_says(row: Row) -> None:
    error = refused(row)
    assert error.code == "no-messages"
    assert "was tried" not in error.hint


def texts(conversation: Conversation) -> list[str]:
    return [message.fields["content"] for message in conversation.messages]


def test_every_key_of_the_bundled_sample_is_accounted_for() -> None:
    found = [
        (file.name, path)
        for file in sorted((ROOT / "sample_data").glob("*.jsonl"))
        for line in file.read_bytes().split(b"\n")
        if line.strip()
        for path in unaccounted(line)
    ]
    assert found == []
