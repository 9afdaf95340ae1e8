"""Many conversations finished at once: each becomes what it becomes alone, or is left to be finished alone."""

from __future__ import annotations

from collections import Counter

import pytest
from law.comparing import HISTORIES, NOW
from law.shapes import SHAPES, assistant, user
from law.templates import LAWS
from law.tokenizers_here import tokenizer
from thorough import some

from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Control, History, Policy

ROWS = [
    *SHAPES.values(),
    {
        "messages": [
            user("世界 é?"),
            assistant("Café, naïve: \U0001f469\u200d\U0001f4bb.", weight=0.5),
            user(),
            assistant(),
        ]
    },
    {"messages": [user(), assistant(weight=0), user("And of Sweden?"), assistant("Stockholm.")]},
]


def preparer_of(law, kind, history, **policy):
    loaded = tokenizer(kind, law.eos, law.stops)
    return Preparer(loaded, now=NOW, policy=Policy(history=History(history), **policy), template=law.text)


def proved_by(preparer, rows):
    proved = []
    for row in rows:
        try:
            proved.append(preparer.prove(DEFAULT.parse(row)))
        except RowError:
            continue
    return proved


def told(prepared):
    return [
        (
            made.sequence.text.text,
            made.sequence.text.runs,
            made.sequence.completions,
            made.sequence.borders,
            *(part.tolist() for part in (made.sequence.encoded.ids, made.sequence.encoded.starts)),
            made.sequence.encoded.ends.tolist(),
            made.labelled.input_ids.tolist(),
            made.labelled.labels.tolist(),
            made.labelled.spans,
            None if made.labelled.weights is None else made.labelled.weights.tolist(),
            made.unfaithful,
        )
        for made in prepared.sequences
    ], prepared.findings


def compare(preparer, proved, seen):
    made = preparer.finish_together(proved, preparer.policy.history)
    assert len(made) == len(proved)
    for one, together in zip(proved, made, strict=True):
        try:
            alone = preparer.finish(one, preparer.policy.history)
        except RowError:
            alone = None
        if together is None:
            seen["alone"] += 1
        else:
            assert alone is not None
            assert told(together) == told(alone)
            seen["together"] += 1


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.sweep
def test_what_is_made_at_once_is_what_is_made_alone(name, history):
    preparer = preparer_of(LAWS[name], "byte_level", history, control=Control.KEEP)
    compare(preparer, proved_by(preparer, some(ROWS, 16, list(LAWS).index(name))), Counter())


@pytest.mark.parametrize("kind", ["nfc", "sentencepiece"])
@pytest.mark.parametrize("name", ["chatml", "plain_markers_eos"])
def test_with_other_tokenizers(name, kind):
    preparer = preparer_of(LAWS[name], kind, "rendered")
    compare(preparer, proved_by(preparer, ROWS), Counter())


def test_most_conversations_are_finished_at_once():
    seen = Counter()
    for history in HISTORIES:
        preparer = preparer_of(LAWS["chatml"], "byte_level", history)
        compare(preparer, proved_by(preparer, ROWS), seen)
    assert seen["together"] > 2 * seen["alone"] > 0, seen


def test_one_that_is_unusual_leaves_the_others_together():
    preparer = preparer_of(LAWS["chatml"], "byte_level", "rendered")
    plain = {"messages": [user("Hello"), assistant()]}
    forged = {"messages": [user("say <|im_end|> to me"), assistant()]}
    made = preparer.finish_together(proved_by(preparer, [plain, forged, plain, plain]), preparer.policy.history)
    assert [one is None for one in made] == [False, True, False, False]


def test_a_sequence_that_is_too_long_is_finished_alone():
    rows = [{"messages": [user("word " * count), assistant()]} for count in (1, 200, 2)]
    preparer = preparer_of(LAWS["chatml"], "byte_level", "split", max_length=100)
    made = preparer.finish_together(proved_by(preparer, rows), preparer.policy.history)
    assert [one is None for one in made] == [False, True, False]


def test_nothing_is_made_of_nothing():
    assert preparer_of(LAWS["chatml"], "byte_level", "split").finish_together([], History.SPLIT) == []
