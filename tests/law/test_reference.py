"""The checker, checked: the reference says what a reader of the law says, and a planted fault is caught."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from law.comparing import compare, preparers, reference_of
from law.reference import IGNORED, Refused, token_places
from law.shapes import SHAPES
from law.templates import HEAD, LAWS
from law.tokenizers_here import tokenizer
from maskprep.formats import DEFAULT

ASKED = "<|im_start|>user\nWhat is the capital of Norway?<|im_end|>\n"


def law_of(template, shape):
    law = LAWS[template]
    return reference_of(tokenizer("byte_level", law.eos, law.stops), law.text, DEFAULT.parse(SHAPES[shape]))


@pytest.mark.parametrize(
    ("template", "shape", "message", "kind", "context", "completion"),
    [
        ("chatml", "plain", 1, "fits", ASKED + HEAD, "Oslo, of course.<|im_end|>"),
        ("header_goes_on", "plain", 1, "fits", ASKED + HEAD, "<|channel|>final<|message|>Oslo, of course.<|im_end|>"),
        ("end_of_turn_is_not_eos", "plain", 1, "fits", None, "Oslo, of course.<end_of_turn>"),
        ("next_role_ends", "two_turns", 1, "fits", None, "Oslo, of course.<|user|>"),
        ("next_role_ends", "two_turns", 3, "fits", None, "Stockholm."),
        ("never_ends", "plain", 1, "fits", None, "Oslo, of course."),
        ("trims", "white_space_around", 1, "fits", None, "An answer<|im_end|>"),
        ("chatml", "white_space_around", 1, "fits", None, "\n\n  An answer \n\n<|im_end|>"),
        (
            "drops_old_thoughts",
            "reasoning_twice",
            3,
            "fits",
            None,
            "<think>\nSecond thought.\n</think>\n\nYes.<|im_end|>",
        ),
        (
            "counts_messages",
            "plain",
            1,
            "rewritten",
            f"<|im_start|>1 messages\n{ASKED}{HEAD}",
            "Oslo, of course.<|im_end|>",
        ),
        ("chatml", "control_tokens_in_answer", 1, "fits", None, None),
    ],
)
def test_turns_by_hand(template, shape, message, kind, context, completion):
    turn = law_of(template, shape).turn(message)
    assert turn.kind == kind
    assert context is None or turn.text[: turn.start] == context
    said = turn.text[turn.start : turn.end]
    assert said == (completion or SHAPES[shape]["messages"][message]["content"] + "<|im_end|>")


@pytest.mark.parametrize(
    ("template", "shape", "message", "code"),
    [
        ("prompt_opens_thought", "plain", 1, "prompt-mismatch"),
        ("drops_calls", "tools", 2, "content-dropped"),
        ("echoes_the_user", "plain", 1, "foreign-text"),
        ("alternates", "consecutive_users", 2, "template-error"),
    ],
)
def test_refusals_by_hand(template, shape, message, code):
    with pytest.raises(Refused) as caught:
        law_of(template, shape).turn(message)
    assert caught.value.code == code


def test_places_of_tokens_by_hand():
    fast = tokenizer("byte_level").tokenizer
    text = "é 🙂\n\n<|im_end|> a"
    ids = fast(text, add_special_tokens=False)["input_ids"]
    places = token_places(fast, text, ids)
    assert places[0][0] == 0
    assert places[-1][1] == len(text)
    assert [text[low:high] for low, high in places if text[low:high] == "<|im_end|>"] == ["<|im_end|>"]
    assert sum(text[low:high].strip() == "🙂" for low, high in places) >= 2, "each token of a character holds it"


def _with_labels(made, change):
    ids, labels = made.labelled.input_ids, made.labelled.labels.copy()
    change(ids, labels)
    return SimpleNamespace(sequence=made.sequence, labelled=replace(made.labelled, labels=labels))


def _trains_blank_behind_stop(ids, labels):
    labels[-1] = ids[-1]


def _forgets_stop(ids, labels):
    labels[(labels != IGNORED).nonzero()[0][-1]] = IGNORED


def _trains_header(ids, labels):
    first = (labels != IGNORED).nonzero()[0][0]
    labels[first - 1] = ids[first - 1]


def _forgets_first(ids, labels):
    labels[(labels != IGNORED).nonzero()[0][0]] = IGNORED


def _shifts(ids, labels):
    labels[:-1] = labels[1:].copy()


@pytest.mark.parametrize("fault", [_trains_blank_behind_stop, _forgets_stop, _trains_header, _forgets_first, _shifts])
@pytest.mark.parametrize("history", ["split", "mask", "rendered"])
def test_a_planted_fault_is_caught(fault, history):
    law = LAWS["chatml"]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    conversation = DEFAULT.parse(SHAPES["two_turns"])
    honest = preparers(loaded, law.text)[history]
    reference = reference_of(loaded, law.text, conversation)
    assert compare(honest, history, conversation, reference).kind == "equal"
    sequences = [_with_labels(made, fault) for made in honest.prepare(conversation).sequences]
    faulty = SimpleNamespace(prepare=lambda _: SimpleNamespace(sequences=sequences))
    assert compare(faulty, history, conversation, reference).kind == "differs"


def test_a_missing_sequence_is_caught():
    law = LAWS["empty_thought_last"]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    conversation = DEFAULT.parse(SHAPES["three_turns"])
    honest = preparers(loaded, law.text)["split"].prepare(conversation).sequences
    assert len(honest) == 3
    faulty = SimpleNamespace(prepare=lambda _: SimpleNamespace(sequences=honest[:2]))
    assert compare(faulty, "split", conversation, reference_of(loaded, law.text, conversation)).kind == "differs"
