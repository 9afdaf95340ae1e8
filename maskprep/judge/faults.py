"""The kinds of faults in somebody else's data: each is counted in tokens, and has one line of meaning and one fix."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What can be wrong with a document."""

    CONTEXT = "context"
    HEADER = "header"
    OTHERS = "others"
    EXCLUDED = "excluded"
    STOP = "stop"
    UNTRAINED = "untrained"
    REASONING = "reasoning"
    IDS = "ids"
    LABELS = "labels"
    SHIFTED = "shifted"
    PADDING = "padding"
    NOTHING = "nothing"
    VOCABULARY = "vocabulary"
    OPENING = "opening"


class Meaning(NamedTuple):
    """What a kind of fault is, in some words, what its tokens are, and what to do."""

    title: str
    counted: str
    fix: str


MEANINGS: dict[Kind, Meaning] = {
    Kind.CONTEXT: Meaning(
        "trained behind a context that no server sends",
        "trained tokens of such turns",
        "tokenize each turn behind its own prompt (add_generation_prompt=True), or leave such turns out",
    ),
    Kind.HEADER: Meaning(
        "headers and other template text trained",
        "trained tokens that the template writes, not the model",
        "begin the mask behind the generation prompt, and end it with the stop token",
    ),
    Kind.OTHERS: Meaning(
        "user, system or tool text trained",
        "trained tokens of these roles",
        "train assistant turns only",
    ),
    Kind.EXCLUDED: Meaning(
        "text trained that the source keeps out of the loss",
        "trained tokens of messages or ranges of weight 0",
        "read the weights of the source",
    ),
    Kind.STOP: Meaning(
        "stop token not trained",
        "stop tokens of trained turns",
        "let the mask end with the stop token: otherwise the model does not learn to stop",
    ),
    Kind.UNTRAINED: Meaning(
        "part of a trained turn not trained",
        "tokens of trained turns that the model has to write",
        "train all of what the model writes, calls and reasoning included; or choose the same parts here (train.parts)",
    ),
    Kind.REASONING: Meaning(
        "reasoning lost",
        "tokens of reasoning of trained turns that are not there",
        "hand the reasoning to the template under the name that it reads, and tokenize each turn behind its own prompt",
    ),
    Kind.IDS: Meaning(
        "ids unlike the template's",
        "tokens in which trained turns differ: trained ones, or those that are missing",
        "render with the model's own chat template, and tokenize the whole text in one piece",
    ),
    Kind.LABELS: Meaning(
        "labels that are not the ids at their places",
        "such labels",
        "labels are the ids themselves or -100; the model shifts them",
    ),
    Kind.SHIFTED: Meaning(
        "labels shifted by one",
        "trained tokens with shifted labels",
        "leave labels unshifted: models of transformers shift them once more",
    ),
    Kind.PADDING: Meaning(
        "padding trained",
        "trained tokens that the attention mask hides",
        "give padding the label -100",
    ),
    Kind.NOTHING: Meaning(
        "nothing trained",
        "tokens of documents without a trained one",
        "leave such rows out, or look why their mask is empty",
    ),
    Kind.VOCABULARY: Meaning(
        "ids that the tokenizer does not have",
        "such ids",
        "judge with the tokenizer that made the data",
    ),
    Kind.OPENING: Meaning(
        "trained text that does not begin behind the generation prompt",
        "trained tokens of such stretches",
        "begin the mask right behind the generation prompt",
    ),
}
"""Every kind of fault."""
