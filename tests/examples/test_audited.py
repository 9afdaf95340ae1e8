"""The audit of finished sequences: a fault that the build itself commits is found on the first row of its kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from law.comparing import NOW
from law.templates import LAWS
from law.tokenizers_built import CHATML, Kind, built
from law.tokenizers_here import tokenizer

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.oracle import Oracle
from maskprep.formats import DEFAULT
from maskprep.policy import AuditMode, History, Policy
from maskprep.tokenizer.encode import Encoder

PLAIN = Kind("bpe", split="byte_level", breaks=True)
PREFIXED = Kind("bpe", split="byte_level_prefix", breaks=True)


def preparer(kind=PLAIN, audit=AuditMode.FIRST):
    return Preparer(built(kind), now=NOW, policy=Policy(), template=CHATML, audit=audit)


def chat(*answers):
    turns = [("user", "hi"), ("assistant", "")]
    messages = [{"role": role, "content": text or answer} for answer in answers for role, text in turns]
    return DEFAULT.parse({"messages": messages})


def proved(preparing, *answers):
    return preparing.prove(chat(*answers))


@pytest.fixture
def checked(monkeypatch):
    """Return the messages that are held against transformers alone, row by row."""
    seen = []
    faults = Oracle.faults

    def spy(alone, given, row, only=None):
        seen.append(sorted(only))
        return faults(alone, given, row, only)

    monkeypatch.setattr(Oracle, "faults", spy)
    return seen


def test_a_blank_that_the_encoder_puts_into_an_answer_rejects_the_row(monkeypatch):
    monkeypatch.setattr(Encoder, "encode_rest", Encoder.encode)
    with pytest.raises(RowError, match="decodes to") as caught:
        preparer(PREFIXED).prepare(chat("\n\nhi"))
    assert caught.value.code == "unproved"


@pytest.mark.parametrize("fault", ["untrained", "too much", "other ids"])
def test_a_fault_of_rows_that_are_finished_together_is_found(fault):
    preparing = preparer()
    one, two = proved(preparing, "hi"), proved(preparing, "hi he", "a")
    made = preparing.finish_together([one, two], History.SPLIT)[1]
    sequence = made.sequences[0]
    labels, ids = sequence.labelled.labels.copy(), sequence.labelled.input_ids.copy()
    first = int(np.flatnonzero(labels != -100)[0])
    if fault == "untrained":
        labels[first + 1] = -100
    elif fault == "too much":
        labels[1] = ids[1]
    else:
        ids[1] += 1
    broken = replace(sequence, labelled=replace(sequence.labelled, labels=labels, input_ids=ids))
    with pytest.raises(RowError) as caught:
        preparing.audit.check(two, replace(made, sequences=(broken,)), History.SPLIT, single=False)
    assert caught.value.code == "unproved"
    preparing.begin()
    preparing.audit.check(two, made, History.SPLIT, single=False)


@pytest.mark.parametrize("law", ["next_role_ends", "next_role_ends_thoughts", "last_never_ends"])
@pytest.mark.parametrize("fault", [None, "other id", "lost end"])
def test_a_stop_token_that_the_next_turn_writes_excuses_no_other_id(law, fault):
    laws = LAWS[law]
    preparing = Preparer(
        tokenizer("sentencepiece", laws.eos, laws.stops), now=NOW, policy=Policy(), template=laws.text,
        audit=AuditMode.FIRST,
    )  # fmt: skip
    one = proved(preparing, "Oslo, of course.", "Stockholm.")
    made = preparing.finish(one, preparing.policy.history)
    sequence = made.sequences[0]
    row = sequence.labelled
    spans = [span for span in row.spans if span.message == 1 and span.trained]
    stop = spans[-1].end - 1
    assert preparing.loaded.tokenizer.decode(row.input_ids[stop]) in preparing.loaded.stop_tokens
    ids, labels = row.input_ids.copy(), row.labels.copy()
    if fault == "other id":
        ids[stop - 1] = labels[stop - 1] = ids[stop - 2]
    elif fault == "lost end":
        ids[stop - 1] = labels[stop - 1] = ids[stop]
    broken = replace(sequence, labelled=replace(row, labels=labels, input_ids=ids))
    if fault is None:
        preparing.audit.check(one, made, History.SPLIT, single=False)
        return
    with pytest.raises(RowError, match="completion decodes to"):
        preparing.audit.check(one, replace(made, sequences=(broken, *made.sequences[1:])), History.SPLIT, single=False)


def test_the_first_row_of_a_kind_is_checked_and_the_next_one_is_not(checked):
    preparing = preparer()
    for answer in ("hi", "he", "a hi"):
        row = proved(preparing, answer)
        preparing.audit.check(row, preparing.finish_together([row], History.SPLIT)[0], History.SPLIT, single=False)
    assert checked == [[1]]
    preparing.begin()
    row = proved(preparing, "he")
    preparing.audit.check(row, preparing.finish_together([row], History.SPLIT)[0], History.SPLIT, single=False)
    assert checked == [[1], [1]], "a chunk knows nothing of the one before"


def test_a_row_whose_border_is_split_is_of_a_kind_of_its_own(checked):
    preparing = preparer(PREFIXED)
    for answer in ("hi", "he", "\n\nhi", "\n\nhe"):
        preparing.prepare(chat(answer))
    assert checked == [[1], [1]]


def test_of_a_long_row_some_turns_are_checked_and_with_all_every_one(checked):
    preparer().prepare(chat(*["hi"] * 9))
    preparer(audit=AuditMode.ALL).prepare(chat(*["hi"] * 9))
    assert checked == [[1, 5, 11, 17], [*range(1, 18, 2)]]


def test_an_answer_that_is_cut_short_before_its_stop_token_is_found():
    preparing = preparer()
    one = proved(preparing, "hi he a")
    made = preparing.finish_together([one], History.SPLIT)[0]
    sequence = made.sequences[0]
    row = sequence.labelled
    lost = int(np.flatnonzero(row.labels != -100)[-1]) - 1  # what stands before the stop token
    spans = [s._replace(start=s.start - (s.start > lost), end=s.end - (s.end > lost)) for s in row.spans]
    cut = replace(
        row,
        input_ids=np.delete(row.input_ids, lost),
        labels=np.delete(row.labels, lost),
        spans=type(row.spans)(spans),
        weights=None if row.weights is None else np.delete(row.weights, lost),
    )
    broken = replace(made, sequences=(replace(sequence, labelled=cut),))
    with pytest.raises(RowError, match="completion decodes to"):
        preparing.audit.check(one, broken, History.SPLIT, single=False)
