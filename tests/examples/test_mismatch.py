"""What is trained where the prompt does not fit the data: exact texts, for both ways out."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.reference import IGNORED
from law.shapes import assistant, user
from law.templates import HEAD, LAWS, SAY, TAIL, THINK, Law, chatml
from law.tokenizers_here import tokenizer

from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import History, Mismatch, Policy

ONE = {"messages": [user("Hi"), assistant("Hello.")]}
TWO = {"messages": [user("Hi"), assistant("Hello."), user("Bye"), assistant("So long.")]}
ASKED = "<|im_start|>user\nHi<|im_end|>\n"
CLOSED = "<think>\n\n</think>\n\n"
ANSWERED = f"{ASKED}<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"


def made(law, row, mismatch, history="split"):
    """Return ``(text, trained text, finding codes)`` of each sequence."""
    loaded = tokenizer("byte_level", law.eos, law.stops)
    policy = Policy(mismatch=Mismatch(mismatch), history=History(history))
    prepared = Preparer(loaded, now=NOW, policy=policy, template=law.text).prepare(DEFAULT.parse(row))
    return [
        (
            one.sequence.text.text,
            loaded.tokenizer.decode([label for label in one.labelled.labels.tolist() if label != IGNORED]),
        )
        for one in prepared.sequences
    ], {finding.code for finding in prepared.findings}


def test_graft_puts_the_answer_behind_a_closed_thought():
    sequences, codes = made(LAWS["prompt_closes_thought"], ONE, "graft")
    assert sequences == [(f"{ASKED}{HEAD}{CLOSED}Hello.<|im_end|>", "Hello.<|im_end|>")]
    assert "prompt-mismatch-graft" in codes


def test_graft_makes_a_sequence_of_each_turn():
    sequences, _ = made(LAWS["prompt_closes_thought"], TWO, "graft")
    assert sequences == [
        (f"{ANSWERED}{HEAD}{CLOSED}So long.<|im_end|>", "So long.<|im_end|>"),
        (f"{ASKED}{HEAD}{CLOSED}Hello.<|im_end|>", "Hello.<|im_end|>"),
    ]


def test_train_takes_the_turn_as_rendered_from_behind_its_header():
    sequences, codes = made(LAWS["prompt_closes_thought"], ONE, "train")
    assert sequences == [(f"{ASKED}{HEAD}Hello.<|im_end|>\n", "Hello.<|im_end|>")]
    assert "prompt-mismatch-train" in codes


def test_train_takes_all_turns_of_one_rendering():
    sequences, _ = made(LAWS["prompt_closes_thought"], TWO, "train")
    assert sequences == [(f"{ANSWERED}{HEAD}So long.<|im_end|>\n", "Hello.<|im_end|>So long.<|im_end|>")]


@pytest.mark.parametrize(
    ("mismatch", "text", "trained"),
    [
        ("graft", f"{ASKED}{HEAD}<think>\nHello.<|im_end|>", "Hello.<|im_end|>"),
        ("train", f"{ASKED}{HEAD}Hello.<|im_end|>\n", "Hello.<|im_end|>"),
    ],
)
def test_a_prompt_that_opens_a_thought(mismatch, text, trained):
    sequences, _ = made(LAWS["prompt_opens_thought"], ONE, mismatch)
    assert sequences == [(text, trained)]


@pytest.mark.parametrize("mismatch", ["reject", "graft", "train"])
def test_a_turn_that_fits_is_the_same_under_all_three(mismatch):
    row = {"messages": [user("Hi"), assistant("Hello.", reasoning_content="Greet.")]}
    sequences, codes = made(LAWS["prompt_opens_thought"], row, mismatch)
    assert sequences == [
        (f"{ASKED}{HEAD}<think>\nGreet.\n</think>\n\nHello.<|im_end|>\n", "Greet.\n</think>\n\nHello.<|im_end|>")
    ]
    assert not {code for code in codes if code.startswith("prompt-mismatch")}


def test_train_never_begins_before_the_header_ends():
    law = Law(chatml("<|im_start|>assistant (calm)\n" + SAY + TAIL, ask="<|im_start|>assistant (quick)\n"))
    sequences, _ = made(law, ONE, "train")
    assert sequences == [(f"{ASKED}<|im_start|>assistant (calm)\nHello.<|im_end|>\n", "Hello.<|im_end|>")]
    sequences, _ = made(law, ONE, "graft")
    assert sequences == [(f"{ASKED}<|im_start|>assistant (quick)\nHello.<|im_end|>", "Hello.<|im_end|>")]


def test_a_thought_of_the_data_behind_a_prompt_that_closes_one():
    law = Law(chatml(HEAD + THINK + SAY + TAIL, ask=HEAD + CLOSED))
    row = {"messages": [user("Hi"), assistant("Hello.", reasoning_content="Greet.")]}
    sequences, _ = made(law, row, "train")
    thought = "<think>\nGreet.\n</think>\n\nHello.<|im_end|>"
    ((text, trained),) = sequences
    assert text == f"{ASKED}{HEAD}{thought}\n"
    assert thought.endswith(trained)
    assert "Greet." in trained
