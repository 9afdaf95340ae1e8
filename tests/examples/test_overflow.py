"""Rows that are too long: what is left of them is proved as any other row, and nothing is lost uncounted."""

from __future__ import annotations

import numpy as np
import pytest
from fitting import CHAT, fitted, learnt, length, preparer, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from law.shapes import assistant, call, system, tool, user
from thorough import examples

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.labelled import IGNORED
from maskprep.policy import History, Overflow, Policy


def test_a_row_that_fits_is_left_alone():
    size = length(CHAT)
    for mode in Overflow:
        row = fitted(CHAT, size, mode)
        assert row.loss is None
        assert row.sequences[0].labelled.input_ids.tolist() == whole(CHAT).input_ids.tolist()


def test_by_default_it_is_rejected():
    with pytest.raises(RowError) as caught:
        fitted(CHAT, length(CHAT) - 1, "reject")
    assert caught.value.code == "too-long"
    assert "overflow" in caught.value.hint


def test_the_oldest_exchanges_are_dropped_and_no_more_than_it_takes():
    limit = length(CHAT[:1] + CHAT[3:])
    (sequence,) = fitted(CHAT, limit, "drop_turns").sequences
    expected = whole(CHAT[:1] + CHAT[3:])
    assert sequence.labelled.input_ids.tolist() == expected.input_ids.tolist()
    assert sequence.labelled.labels.tolist() == expected.labels.tolist()
    assert sequence.kept == (0, *range(3, 13))
    assert {span.message for span in sequence.labelled.spans} == {-1, 0, *range(3, 13)}
    (shorter,) = fitted(CHAT, limit - 1, "drop_turns").sequences
    assert shorter.kept == (0, *range(5, 13))


def test_a_tool_exchange_is_dropped_whole():
    turn = (user("Weather?"), assistant("", tool_calls=[call()]), tool(), assistant("Mild."))
    messages = (system("Be brief."), *turn, user("Thanks."), assistant("Any time."))
    limit = length(messages, "chatml_calls") - 1
    (sequence,) = fitted(messages, limit, "drop_turns", "chatml_calls").sequences
    assert sequence.kept == (0, 5, 6)


def test_what_was_lost_is_counted():
    row = fitted(CHAT, length(CHAT[:1] + CHAT[5:]), "drop_turns")
    before = whole(CHAT)
    assert (row.loss.tokens_before, row.loss.trained_before) == (len(before.input_ids), before.trained_tokens)
    assert row.loss.tokens == len(row.sequences[0])
    assert row.loss.trained == row.sequences[0].labelled.trained_tokens < before.trained_tokens
    assert "turns-dropped" in {finding.code for finding in row.findings}


def test_the_last_exchange_alone_is_too_long():
    with pytest.raises(RowError) as caught:
        fitted(CHAT, length(CHAT[:1] + CHAT[-2:]) - 1, "drop_turns")
    assert caught.value.code == "too-long"


def test_windows_keep_every_completion_once_behind_the_system_message():
    limit = length(CHAT[:5])
    row = fitted(CHAT, limit, "split")
    assert len(row.sequences) == 3
    assert [sequence.kept for sequence in row.sequences] == [(0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9, 10, 11, 12)]
    assert row.loss.trained == row.loss.trained_before
    for number, sequence in enumerate(row.sequences):
        expected = whole(CHAT[:1] + CHAT[1 + 4 * number : 5 + 4 * number])
        assert sequence.labelled.input_ids.tolist() == expected.input_ids.tolist()
        assert sequence.labelled.labels.tolist() == expected.labels.tolist()
    assert "windows-made" in {finding.code for finding in row.findings}


def test_of_an_exchange_that_is_too_long_by_itself_the_beginning_is_left_and_the_rest_counted():
    rounds = [part for n in range(5) for part in (assistant(f"Step {n}.", tool_calls=[call()]), tool(f"result {n}"))]
    messages = (system("Be brief."), user("Weather?"), *rounds, assistant("Mild."))
    limit = length(messages[:6], "chatml_calls")
    row = fitted(messages, limit, "split", "chatml_calls")
    assert [sequence.kept for sequence in row.sequences] == [(0, 1, 2, 3, 4, 5)]
    expected = whole(messages[:6], "chatml_calls")
    assert row.sequences[0].labelled.labels.tolist() == expected.labels.tolist()
    assert row.loss.trained == expected.trained_tokens < row.loss.trained_before
    (told,) = [finding.detail for finding in row.findings if finding.code == "windows-made"]
    assert told.endswith("4 trained messages are left out: 6, 8, 10, 12")


def test_the_exchanges_around_one_that_is_too_long_are_all_there():
    long = (user("Weather?"), assistant("I look.", tool_calls=[call()]), tool("long " * 60), assistant("Mild."))
    messages = (system("Be brief."), *CHAT[1:5], *long, *CHAT[5:9])
    limit = length(messages[:5], "chatml_calls")
    row = fitted(messages, limit, "split", "chatml_calls")
    assert [sequence.kept for sequence in row.sequences] == [(0, 1, 2, 3, 4), (0, 5, 6), (0, 9, 10, 11, 12)]


def test_a_call_whose_result_is_too_long_is_kept_and_the_answer_to_it_is_left_out():
    calls = assistant("I look.", tool_calls=[call()])
    messages = (system("Be brief."), user("Weather?"), calls, tool("long " * 80), assistant("Mild."))
    limit = length(messages[:3], "chatml_calls")
    row = fitted(messages, limit, "split", "chatml_calls")
    assert [sequence.kept for sequence in row.sequences] == [(0, 1, 2)]
    assert row.loss.trained == whole(messages[:3], "chatml_calls").trained_tokens < row.loss.trained_before


def test_an_answer_alone_is_not_trained_without_what_it_is_built_on():
    calls = assistant("I look.", tool_calls=[call()])
    messages = (user("Weather?"), calls, tool("long " * 80), assistant("Mild."))
    with pytest.raises(RowError) as caught:
        fitted(messages, length(messages[:2], "chatml_calls"), "split", "chatml_calls", turns="last")
    assert caught.value.code == "too-long"


def test_windows_train_only_what_was_selected():
    row = fitted(CHAT, length(CHAT[:5]), "split", turns="3 last")
    assert [learnt(sequence).count("Answer") for sequence in row.sequences] == [2, 1]
    assert row.loss.trained == row.loss.trained_before


def test_nothing_trained_is_left():
    messages = (user("Tell me a very long story, please, with many words in it."), assistant("No."))
    for mode in ("truncate", "drop_turns", "split"):
        with pytest.raises(RowError) as caught:
            fitted(messages, 6, mode)
        assert caught.value.code == "too-long"


def test_a_history_that_is_rewritten_is_cut_sequence_by_sequence():
    messages = tuple(
        message
        for n in range(4)
        for message in (user(f"Question {n}?"), assistant(f"Answer {n}.", reasoning_content=f"Thought {n}."))
    )
    full = preparer(None, "drops_old_thoughts").prepare(Conversation(tuple(map(Message, messages))))
    limit = max(map(len, full.sequences)) - 1
    row = fitted(messages, limit, "drop_turns", "drops_old_thoughts")
    assert row.loss.trained == row.loss.trained_before
    assert all(len(sequence) <= limit for sequence in row.sequences)


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "system", "tool"]), st.text("ab \n", max_size=30)), max_size=8
)


@given(MESSAGES, st.integers(2, 80), st.sampled_from(["drop_turns", "truncate", "split"]))
@settings(max_examples=examples(150))
def test_whatever_is_left_fits_and_is_a_part_of_what_was_there(messages, limit, mode):
    conversation = Conversation(tuple(Message({"role": role, "content": content}) for role, content in messages))
    try:
        before = preparer().prepare(conversation)
        after = preparer(Policy(max_length=limit, overflow=Overflow(mode))).prepare(conversation)
    except RowError:
        return
    learnt_before = sum(sequence.labelled.trained_tokens for sequence in before.sequences)
    learnt_after = sum(sequence.labelled.trained_tokens for sequence in after.sequences)
    assert learnt_after <= learnt_before
    for sequence in after.sequences:
        labelled = sequence.labelled
        assert len(labelled.input_ids) == len(labelled.labels) <= limit
        assert labelled.spans[0].start == 0
        assert labelled.spans[-1].end == len(labelled.input_ids)
        assert labelled.trained_tokens
        spelt = np.zeros(len(labelled.labels), bool)
        for span in labelled.spans:
            spelt[span.start : span.end] = span.trained
        assert (spelt == (labelled.labels != IGNORED)).all()


ROUNDS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.booleans()), min_size=1, max_size=4)
DIALOGUES = st.lists(st.tuples(st.integers(1, 40), ROUNDS), min_size=1, max_size=4)


def dialogue(shape):
    """Return a conversation in which a user asks and an assistant calls and answers; sizes are drawn."""
    messages = [system("Be brief.")]
    for asked, rounds in shape:
        messages.append(user("word " * asked))
        for size, results, told in rounds:
            calls = [call(call_id=f"call{n:05}") for n in range(results)]
            messages.append(assistant("step " * (size % 7 + 1), **({"tool_calls": calls} if calls else {})))
            messages += [tool("data " * size) for _ in range(results)]
            messages += [system("Mind the time.")] if told and results else []
    return messages


@given(
    DIALOGUES,
    st.integers(20, 260),
    st.sampled_from(["drop_turns", "truncate", "split"]),
    st.sampled_from(["all", "last", "2 last", "since_last_user"]),
    st.sampled_from(["chatml_calls", "drops_old_thoughts"]),
    st.sampled_from(History),
)
@settings(max_examples=examples(150), deadline=None)
def test_no_message_is_trained_without_all_earlier_messages_of_its_exchange(
    shape, limit, mode, turns, template, history
):
    messages = dialogue(shape)
    try:
        row = fitted(messages, limit, mode, template, turns=turns, history=history)
    except RowError as error:
        assert error.code == "too-long"  # noqa: PT017
        return
    trained_before = set()
    for sequence in row.sequences:
        kept = set(range(len(messages)) if sequence.kept is None else sequence.kept)
        assert len(sequence) <= limit
        assert 0 in kept
        for message in sequence.trained_messages:
            question = max(index for index in range(message) if messages[index]["role"] == "user")
            assert set(range(question, message + 1)) <= kept
        for index in kept:
            if messages[index]["role"] == "tool":
                assert index - 1 in kept
        assert not trained_before & sequence.trained_messages
        trained_before |= sequence.trained_messages
