"""The same 200 conversations in every shape that can carry them give the same ids and labels."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import numpy as np
import pytest
from bundled import TOKENIZER
from formats.writings import WRITINGS, Call, Chat, Turn, tool, without
from thorough import some

from maskprep.config import TokenizerChoice
from maskprep.conversation import Where
from maskprep.examples import Preparer
from maskprep.formats import Reading, detect
from maskprep.policy import Policy
from maskprep.tokenizer.load import load_tokenizer

WORDS = ["tide", "harbour", "chart", "pier", "wind", "Ø", "潮", "9.5", "m,", "ok!", "\n(so)", "café"]


def chats(count):
    draw = random.Random(7)

    def text():
        return " ".join(draw.choices(WORDS, k=draw.randint(1, 9))).strip() or "x"

    def turn():
        calls = [Call(draw.choice(["rain", "sun"]), {"city": text()}, text()) for _ in range(draw.choice([0, 0, 1, 2]))]
        thought, said = (draw.choice(["", text()]) for _ in range(2))
        return Turn(text(), text(), thought, said if calls else "", tuple(calls))

    for _ in range(count):
        turns = tuple(turn() for _ in range(draw.randint(1, 4)))
        tools = (tool("rain"), tool("sun")) if any(each.calls for each in turns) else ()
        yield Chat(turns, draw.choice(["", text()]), tools)


@pytest.fixture(scope="module")
def preparer():
    loaded = load_tokenizer(TokenizerChoice(name=str(TOKENIZER)))
    return Preparer(loaded, now=datetime(2026, 1, 2, tzinfo=UTC), policy=Policy())


@pytest.fixture(scope="module")
def prepared(preparer):
    """Prepare a row of OpenAI's form; most shapes have the same ones."""
    known = {}

    def prepare(row):
        key = json.dumps(row)
        if key not in known:
            known[key] = preparer.prepare(Reading().parse(row))
        return known[key]

    return prepare


@pytest.mark.parametrize("name", [name for name in WRITINGS if name != "openai"])
@pytest.mark.sweep
def test_the_ids_and_labels_are_those_of_the_openai_form(name, preparer, prepared):
    writing = WRITINGS[name]
    rows = trained = 0
    for chat in some(chats(200), 10):
        written = without(chat, writing)
        row = writing.write(written)
        read = detect([(Where("f", 1, 0), row)], Reading(**dict(writing.config))).parse(row)
        found, expected = preparer.prepare(read), prepared(writing.expected(written))
        assert len(found.sequences) == len(expected.sequences)
        for one, other in zip(found.sequences, expected.sequences, strict=True):
            assert np.array_equal(one.labelled.input_ids, other.labelled.input_ids)
            assert np.array_equal(one.labelled.labels, other.labelled.labels)
            assert one.labelled.spans == other.labelled.spans
            trained += one.labelled.trained_tokens
        rows += 1
    assert rows == len(some(range(200), 10))
    assert trained > 25 * rows
