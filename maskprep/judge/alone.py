"""What ids and template alone say of a document, where no source row is known: less, and nothing that is doubtful.

The template is run on small conversations of its own. What stands right before every turn is the generation prompt's
end, and special tokens that stand before turns but never in them are headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.judge.documents import Document
from maskprep.judge.faults import Kind
from maskprep.judge.law import Verdict
from maskprep.labelled import IGNORED, Labelled, Span
from maskprep.policy import Part

_ANSWER = {"role": "assistant", "content": "Crow Hill, by far."}
_THOUGHT = {"reasoning_content": "The survey lists both."}
_CALL = {"type": "function", "function": {"name": "height", "arguments": {"hill": "Crow Hill"}}}
_TOOL = {
    "type": "function",
    "function": {
        "name": "height",
        "description": "Looks a height up",
        "parameters": {"type": "object", "properties": {"hill": {"type": "string"}}},
    },
}


def _talk(question: str, *answers: dict[str, Any], **more: Any) -> Conversation:
    """Return a conversation in which each answer follows a question that ends in another way than all others."""
    asked = (Message({"role": "user", "content": f"{question} {number}"}) for number in range(len(answers)))
    return Conversation(tuple(m for pair in zip(asked, map(Message, answers), strict=True) for m in pair), **more)


# Texts of users that end alike would be taken for a part of the generation prompt.
_SAMPLES = (
    _talk("Which hill is higher?", _ANSWER),
    _talk("Say it in Norwegian, nå", _ANSWER | _THOUGHT, _ANSWER | _THOUGHT),
    _talk("One more time;", {"role": "assistant", "content": "", "tool_calls": [_CALL]}, tools=[_TOOL]),
    Conversation((Message({"role": "user", "content": "Hello there!"}), Message(_ANSWER | _THOUGHT))),
    Conversation((Message({"role": "user", "content": "(a list of hills)"}), Message(_ANSWER))),
)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a template writes around turns: the ids right before each, header ids, and the ids that end turns."""

    opening: Ints
    headers: frozenset[int]
    stops: frozenset[int]
    whole: bool
    size: int

    @classmethod
    def of(cls, preparer: Preparer, special: frozenset[int]) -> Signs:
        """Return the signs of a preparer's template; the ``special`` ids are those of the tokenizer."""
        rows = list(_sampled(preparer))
        trained = [row.labels != IGNORED for row in rows]
        inside = {token for row, own in zip(rows, trained, strict=True) for token in row.input_ids[own].tolist()}
        outside = {token for row, own in zip(rows, trained, strict=True) for token in row.input_ids[~own].tolist()}
        before = [
            row.input_ids[:at].tolist()
            for row, own in zip(rows, trained, strict=True)
            for at in np.flatnonzero(np.diff(own, prepend=False) & own).tolist()
        ]
        tokenizer = preparer.loaded.tokenizer
        stops = {row.input_ids[span.start] for row in rows for span in row.spans if span.part == Part.STOP}
        stops |= set(tokenizer.convert_tokens_to_ids(list(preparer.loaded.stop_tokens)))
        headers = (outside & special) - inside - {int(token) for token in stops}
        return cls(
            np.asarray(_common_end(before), np.int64),
            frozenset(headers),
            frozenset(map(int, stops)),
            preparer.policy.whole,
            len(tokenizer),
        )

    def judge(self, document: Document) -> Verdict:
        """Return what is wrong with a document by its ids and its mask alone."""
        ids, trained = document.ids, document.trained
        verdict = Verdict(document, tuple(_plain(trained)), trained.copy())
        header = trained & np.isin(ids, [*self.headers])
        verdict.add(Kind.HEADER, int(header.sum()))
        verdict.lawful &= ~header
        edges = np.flatnonzero(np.diff(trained, prepend=False, append=False)).tolist()
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end < len(ids) and int(ids[end]) in self.stops and int(ids[end - 1]) not in self.stops:
                verdict.add(Kind.STOP, 1)
                verdict.lawful[end] = True
            size = len(self.opening)
            # What is masked within a turn as configured leaves stretches that begin elsewhere.
            if size and self.whole and not np.array_equal(ids[max(0, start - size) : start], self.opening):
                verdict.add(Kind.OPENING, end - start)
        return verdict


def about_mask(verdict: Verdict, size: int) -> None:
    """Count what is wrong with the labels of a document themselves; ``size`` is that of the vocabulary."""
    document = verdict.document
    verdict.add(Kind.LABELS, document.wrong_labels)
    verdict.add(Kind.PADDING, document.padding)
    verdict.add(Kind.SHIFTED, int(document.trained.sum()) if document.shifted else 0)
    verdict.add(Kind.VOCABULARY, int(((document.ids < 0) | (document.ids >= size)).sum()))
    verdict.add(Kind.NOTHING, len(document.ids) if not document.trained.any() else 0)


def _sampled(preparer: Preparer) -> Iterator[Labelled]:
    for sample in _SAMPLES:
        with suppress(RowError):  # a template may refuse tools, say: the others tell enough
            yield from (each.labelled for each in preparer.prepare(sample).sequences if not each.branches)


def _common_end(many: Sequence[list[int]]) -> list[int]:
    """Return the ids with which all of some lists end, none where there is no list."""
    if not many:
        return []
    size = next(
        (at for at in range(min(map(len, many))) if len({each[-1 - at] for each in many}) > 1), min(map(len, many))
    )
    return many[0][len(many[0]) - size :]


def _plain(trained: np.ndarray) -> Iterator[Span]:
    edges = [0, *(np.flatnonzero(np.diff(trained)) + 1).tolist(), len(trained)]
    for start, end in pairwise(edges):
        if end > start:
            marked = bool(trained[start])
            yield Span(
                "assistant" if marked else "template", "content" if marked else "scaffold", -1, start, end, marked
            )
