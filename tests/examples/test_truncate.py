"""Sequences whose end is cut off: behind a whole completion, and nothing else about them changes."""

from __future__ import annotations

import numpy as np
import pytest
from fitting import CHAT, fitted, length, preparer, text, whole
from law.shapes import assistant, user
from thorough import some

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.labelled import IGNORED
from maskprep.policy import History, Overflow, Policy


def test_the_end_is_cut_off_behind_a_completion():
    row = fitted(CHAT, length(CHAT[:9]) + 3, "truncate")
    (sequence,) = row.sequences
    assert sequence.cut
    full = whole(CHAT)
    assert sequence.labelled.input_ids.tolist() == full.input_ids[: len(sequence)].tolist()
    assert text(sequence).endswith("Answer number 3.<|im_end|>")
    assert sequence.labelled.spans[-1].end == len(sequence)
    assert row.loss.trained == sequence.labelled.trained_tokens
    assert "truncated" in {finding.code for finding in row.findings}


def test_no_completion_is_cut_inside():
    messages = (user("Tell me."), assistant("Once upon a time there was a long answer."))
    stop = next(span for span in whole(messages).spans if span.part == "stop")
    (sequence,) = fitted(messages, stop.end, "truncate").sequences
    assert len(sequence) == stop.end
    assert text(sequence).endswith("<|im_end|>")
    with pytest.raises(RowError) as caught:
        fitted(messages, stop.end - 1, "truncate")
    assert caught.value.code == "too-long"
    assert caught.value.facts["trained_tokens"] == whole(messages).trained_tokens


@pytest.mark.parametrize("history", [History.SPLIT, History.MASK, History.RENDERED])  # a tree is cut as its sequences
@pytest.mark.parametrize("template", ["chatml", "drops_old_thoughts"])
@pytest.mark.sweep
def test_at_every_cut_ids_labels_spans_and_weights_are_those_of_the_whole_and_completions_are_whole(template, history):
    turns = [(user(f"Question {n}?"), assistant(f"Answer {n}.", reasoning_content="Hm.")) for n in range(3)]
    weights = (0.5, 1.0, 2.0)
    messages = tuple(Message(fields, weight) for pair, weight in zip(turns, weights, strict=True) for fields in pair)
    maker = preparer(Policy(history=history), template)
    full = maker.prepare(Conversation(messages))
    seen = set()
    for limit in some(range(max(map(len, full.sequences)) - 1, 1, -1), 6):
        try:
            row = preparer(Policy(max_length=limit, overflow=Overflow.TRUNCATE, history=history), template).prepare(
                Conversation(messages)
            )
        except RowError as error:
            assert error.code == "too-long"  # noqa: PT017
            continue
        for made in row.sequences:
            (parent,) = [each for each in full.sequences if each.sequence.text.text == made.sequence.text.text]
            there, here = parent.labelled, made.labelled
            size = len(here.labels)
            assert size <= limit
            assert here.input_ids.tolist() == there.input_ids[:size].tolist()
            assert here.labels.tolist() == there.labels[:size].tolist()
            assert weights_of(here) == weights_of(there)[:size]
            assert list(here.spans) == [span for span in there.spans if span.end <= size]
            assert here.spans[-1].end == size
            if made.cut:
                assert here.spans[-1].part == "stop"
                assert here.spans[-1].trained
            assert made.unfaithful <= parent.unfaithful
            seen.add(made.cut)
    assert seen
    assert all(cut for cut in seen) or len(full.sequences) > 1


def weights_of(labelled):
    plain = (labelled.labels != IGNORED).astype(np.float32)
    return (plain if labelled.weights is None else labelled.weights).tolist()


def test_weights_of_one_that_are_left_need_no_column():
    messages = (
        *(Message(fields) for fields in (user("One?"), assistant("First."), user("Two?"))),
        Message(assistant("Second."), 0.5),
    )
    full = preparer().prepare(Conversation(messages)).sequences[0]
    assert full.labelled.weights is not None
    policy = Policy(max_length=len(full) - 3, overflow=Overflow.TRUNCATE)
    (cut,) = preparer(policy).prepare(Conversation(messages)).sequences
    assert cut.trained_messages == {1}
    assert cut.labelled.weights is None
