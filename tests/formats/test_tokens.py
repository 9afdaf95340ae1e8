"""Rows of turns as they were generated: every writing of them, what is taken from it, and what is refused."""

from __future__ import annotations

import math

import pytest

from maskprep.errors import RowError
from maskprep.formats import DEFAULT, Reading
from maskprep.policy import Format

USER = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": "ab"}
IDS = {"prompt_token_ids": [1, 2, 3], "token_ids": [4, 5]}

WRITINGS = {
    "a list of turns": {"turns": [IDS]},
    "a list of turns, by other names": {"trajectory": [{"prompt_ids": [1, 2, 3], "completion_ids": [4, 5]}]},
    "one turn": {"prompt_token_ids": [1, 2, 3], "completion_token_ids": [4, 5]},
    "one turn of SkyRL": {"prompt_token_ids": [1, 2, 3], "response_ids": [4, 5], "loss_mask": [1, 1]},
    "one turn of TRL": {"prompt_ids": [1, 2, 3], "completion_ids": [4, 5], "completion_mask": [1, 1]},
    "verifiers": {"trajectory": [{"tokens": {"prompt_ids": [1, 2, 3], "completion_ids": [4, 5]}}]},
    "steps of ATIF": {
        "schema_version": "ATIF-v1.6",
        "steps": [
            {"step_id": 1, "source": "user", "message": "Hi"},
            {
                "step_id": 2,
                "source": "agent",
                "message": "ab",
                "metrics": {"prompt_tokens": 3, "prompt_token_ids": [1, 2, 3], "completion_token_ids": [4, 5]},
            },
        ],
    },
    "messages": {"messages": [USER, {**SAID, **IDS}]},
    "messages beside turns": {"messages": [USER, SAID], "turns": [IDS]},
    "messages of the prompt beside one turn": {"prompt": [USER], "prompt_token_ids": [1, 2, 3], "response_ids": [4, 5]},
    "messages beside one turn": {"messages": [USER, SAID], **IDS},
    "a server's answer": {
        "request": {"messages": [USER]},
        "response": {"prompt_token_ids": [1, 2, 3], "choices": [{"message": SAID, "token_ids": [4, 5]}]},
    },
    "a server's answer beside the messages": {
        "messages": [USER],
        "prompt_token_ids": [1, 2, 3],
        "choices": [{"message": SAID, "token_ids": [4, 5], "finish_reason": "stop"}],
    },
}
WITH_CONTEXT = {name for name in WRITINGS if "messages" in name or "server" in name or "ATIF" in name}


@pytest.mark.parametrize("name", WRITINGS)
def test_every_writing_gives_the_ids_of_its_turn(name):
    assert DEFAULT.format_of(WRITINGS[name]) is Format.TOKENS
    conversation = DEFAULT.parse(WRITINGS[name])
    (turn,) = conversation.sampled.values()
    assert (turn.prompt, turn.completion, turn.weights, turn.logprobs) == ((1, 2, 3), (4, 5), None, None)
    assert turn.in_context == (name in WITH_CONTEXT)
    last = conversation.messages[-1]
    assert last.sampled is turn
    assert (last.role, last.weight) == ("assistant", 1)
    assert not last.fields.keys() & {"prompt_token_ids", "token_ids", "metrics", "choices"}
    if name in WITH_CONTEXT:
        assert conversation.messages[0].fields == USER


@pytest.mark.parametrize(
    "logprobs",
    [
        [-0.5, -1.0],
        {"content": [{"token": "a", "logprob": -0.5, "bytes": [97]}, {"token": "b", "logprob": -1.0}]},
        [[-0.5, 4, "a"], [-1.0, 5, "b"]],
    ],
)
def test_log_probabilities_as_servers_write_them(logprobs):
    conversation = DEFAULT.parse({"messages": [USER, {**SAID, **IDS, "logprobs": logprobs}]})
    assert conversation.sampled[1].logprobs == (-0.5, -1.0)


def test_an_id_without_a_log_probability_has_none():
    turn = DEFAULT.parse({"turns": [{**IDS, "logprobs": [None, -1]}]}).sampled[0]
    assert math.isnan(turn.logprobs[0])
    assert turn.logprobs[1] == -1


def test_a_mask_of_ids_weighs_them_and_a_number_weighs_the_turn():
    masked = DEFAULT.parse({**IDS, "loss_mask": [1, 0]})
    assert masked.sampled[0].weights == (1, 0)
    weighed = DEFAULT.parse({"turns": [{**IDS, "loss_mask": 0}, {**IDS, "weight": 0.5}]})
    assert [message.weight for message in weighed.messages] == [0, 0.5]


def test_what_the_assistant_says_in_a_request_is_context():
    row = {**WRITINGS["a server's answer"], "request": {"messages": [USER, SAID, USER]}}
    assert [message.weight for message in DEFAULT.parse(row).messages] == [1, 0, 1, 1]


def test_texts_beside_ids_are_named_and_not_read():
    row = {"turns": [{**IDS, "text": "ab", "reward": 0.5}], "mood": "calm"}
    assert DEFAULT.parse(row).account.unread == ("mood", "turns[].reward", "turns[].text")
    assert DEFAULT.parse({**IDS, "response": "ab"}).account.unread == ("response",)


def test_steps_of_an_agent_are_messages_with_their_calls_and_results():
    call = {"tool_call_id": "c", "function_name": "ls", "arguments": {"path": "."}}
    steps = [
        {"source": "system", "message": "Be brief."},
        {"source": "user", "message": "Go"},
        {
            "source": "agent",
            "message": "",
            "reasoning_content": "Look.",
            "tool_calls": [call],
            "observation": {"results": [{"source_call_id": "c", "content": "a.txt"}]},
            "metrics": {**IDS, "cost_usd": 0.1, "logprobs": [-1, -2]},
        },
        {"source": "agent", "message": "Done.", "metrics": {**IDS, "prompt_token_ids": [1, 2, 3, 4, 5, 6]}},
    ]
    conversation = DEFAULT.parse({"schema_version": "ATIF-v1.6", "steps": steps})
    assert [message.role for message in conversation.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert conversation.messages[2].fields == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "Look.",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "ls", "arguments": {"path": "."}}}],
    }
    assert conversation.messages[3].fields == {"role": "tool", "content": "a.txt", "tool_call_id": "c"}
    assert list(conversation.sampled) == [2, 4]
    assert conversation.sampled[2].logprobs == (-1, -2)
    pictures = {"source": "user", "message": [{"type": "image"}]}
    assert not DEFAULT.parse({"steps": [pictures, steps[-1]]}).sampled[0].in_context


def test_a_row_of_messages_without_ids_is_what_it_was():
    for row in ({"messages": [USER, SAID]}, {"turns": [USER, SAID]}, {"prompt": "Hi", "completion": "ab"}):
        assert DEFAULT.format_of(row) is not Format.TOKENS
        assert not DEFAULT.parse(row).sampled
    named = Reading(format=Format.TOKENS)
    with pytest.raises(RowError) as caught:
        named.parse({"messages": [USER, SAID]})
    assert caught.value.code in {"mixed-formats", "missing-field"}


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ({"turns": [{**IDS, "logprobs": [-1.0]}]}, "bad-token-ids", "turns[0].logprobs has 1 items"),
        ({**IDS, "loss_mask": [1, 1, 1]}, "bad-token-ids", "loss_mask has 3 items"),
        ({**IDS, "loss_mask": [1, -1]}, "bad-weight", "loss_mask[1]"),
        ({**IDS, "logprobs": ["a", "b"]}, "bad-token-ids", "logprobs[0] must be a log-probability, not a string"),
        ({"turns": [{"prompt_token_ids": [1, "2"], "token_ids": [3]}]}, "bad-token-ids", "prompt_token_ids[1]"),
        ({"turns": [{"prompt_token_ids": [1, True], "token_ids": [3]}]}, "bad-token-ids", "not a boolean"),
        ({"prompt_token_ids": [1], "token_ids": [3, -4]}, "bad-token-ids", "token_ids[1] must be the id of a token"),
        ({"prompt_token_ids": [], "token_ids": [3]}, "bad-token-ids", "prompt_token_ids is empty"),
        ({"turns": [IDS, {"token_ids": [3]}]}, "bad-token-ids", "turns[1] has not both"),
        ({"messages": [USER, {**SAID, **IDS}, USER, {**SAID, "token_ids": [9]}]}, "bad-token-ids", "messages[3]"),
        ({"messages": [USER, SAID], "turns": [IDS, IDS]}, "bad-token-ids", "has 1 turns of the assistant's"),
        ({"turns": [{**IDS, "train_tokens": [1, 0]}]}, "unread-field", "train_tokens"),
        (
            {"messages": [USER, {**SAID, **IDS, "mask_spans": [[0, 1]]}]},
            "bad-range",
            "messages[1] marks characters of a turn that was sampled as ids",
        ),
    ],
)
def test_what_is_refused(row, code, said):
    with pytest.raises(RowError) as caught:
        DEFAULT.parse(row)
    assert caught.value.code == code
    assert said in caught.value.message
