r"""A document against the law: what each of its tokens is by a rendering of its source row, and what is wrong then.

    document    <|im_start|>assistant \n  Hello <|im_end|> \n      ids of somebody else
    trained     ------------------------  ^^^^^ -------------
    expected                              ^^^^^ ^^^^^^^^^^         the stop token is not trained: 1 token

Where the ids are those of a rendering, its spans say what each token is. Elsewhere the two texts are aligned, and what
the rendering does not have is looked for in the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from maskprep.arrays import Bools, Ints, limits_of
from maskprep.inspect.tokens import Tokens
from maskprep.judge.align import aligned
from maskprep.judge.documents import Document
from maskprep.judge.faults import Kind
from maskprep.judge.match import reasoning_of, squeezed
from maskprep.judge.reference import ExpectedTurn, Reference, longest_beginning
from maskprep.labelled import IGNORED, Labelled, Span
from maskprep.policy import Part, Policy

UNKNOWN = Span("template", "unknown", -1, 0, 0, trained=False)
"""A token that the rendering of the source row does not have."""

_TELLING = 8  # characters of a text that the rendering does not have, from which on it is looked for in the messages


@dataclass(slots=True)
class Verdict:
    """What is wrong with one document: tokens by kind; what each token is; and which of them the law would train."""

    document: Document
    spans: tuple[Span, ...] = ()
    lawful: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    faults: dict[Kind, int] = field(default_factory=dict)
    turns: int = 0

    def add(self, kind: Kind, tokens: int) -> None:
        """Count tokens of a kind of fault, if there are any."""
        if tokens:
            self.faults[kind] = self.faults.get(kind, 0) + tokens

    @property
    def labelled(self) -> Labelled:
        """The document as a labelled sequence, to be shown."""
        ids, trained = self.document.ids, self.document.trained
        return Labelled(ids, np.where(trained, ids, IGNORED), self.spans)


class Law:
    """Holds documents against the references of their source rows.

    Args:
        tokens: spells ids.
        policy: what is to be trained, as the configuration says.
    """

    def __init__(self, tokens: Tokens, policy: Policy) -> None:
        self._tokens, self._policy = tokens, policy

    def judge(self, document: Document, reference: Reference) -> Verdict:
        """Return what is wrong with a document that was made of a source row."""
        verdict = Verdict(document)
        origins = self._origins(document, reference)
        kinds = [origins.spans[number] for number in origins.owner]
        should = np.asarray([span.trained for span in kinds], np.bool_)
        should[:1] = False
        self._misplaced(verdict, reference, origins, should)
        verdict.lawful = should.copy()
        for message in sorted({kinds[at].message for at in np.flatnonzero(should & document.trained).tolist()}):
            own = np.asarray([span.trained and span.message == message for span in kinds], np.bool_)
            self._turn(verdict, reference, origins, own, message)
        verdict.spans = tuple(_tiled(kinds, document.trained))
        return verdict

    def _origins(self, document: Document, reference: Reference) -> _Origins:
        """Return what each token of a document is."""
        number, agree = longest_beginning(document.ids, reference.renderings)
        row = reference.renderings[number]
        if agree == min(len(document.ids), len(row.input_ids)) and agree * 2 >= len(document.ids):
            owner = np.full(len(document.ids), -1, np.int64)
            owner[:agree] = _owners(row)[:agree]
            return _Origins([*row.spans, UNKNOWN], owner)
        spelled = self._tokens.spell(document.ids.tolist())
        # A rendering that begins like the document may end soon: the first has the whole conversation.
        tried = [(each, self._aligned(spelled, reference.renderings[each])) for each in dict.fromkeys((0, number))]
        best, owner = max(tried, key=lambda each: int((each[1] >= 0).sum()))
        spans = [*reference.renderings[best].spans, UNKNOWN]
        for start, end in _stretches(owner < 0):
            found = _said(b"".join(spelled[start:end]).decode(errors="replace"), reference)
            if found is not None:
                owner[start:end] = len(spans) - 1
                spans.insert(len(spans) - 1, found)
        return _Origins(spans, owner)

    def _aligned(self, spelled: list[bytes], row: Labelled) -> Ints:
        """Return the number of the span of a rendering that each token of a document belongs to, -1 where unknown."""
        expected, own = self._tokens.spell(row.input_ids.tolist()), _owners(row)
        place = aligned(b"".join(expected), b"".join(spelled))
        # The token of the rendering that each byte of it belongs to.
        holder = np.repeat(np.arange(len(expected)), [len(each) for each in expected])
        whose = np.where(place >= 0, own[holder[place]] if len(holder) else -1, -1)
        trained = np.asarray([span.trained for span in row.spans], np.bool_)
        owner = np.full(len(spelled), -1, np.int64)
        edges = limits_of(map(len, spelled)).tolist()
        for at in range(len(owner)):
            inside = whose[edges[at] : edges[at + 1]]
            if len(inside) and inside.min() >= 0:
                outside = inside[~trained[inside]]
                owner[at] = (outside if len(outside) else inside)[0]
        return owner

    def _misplaced(self, verdict: Verdict, reference: Reference, origins: _Origins, should: Bools) -> None:
        """Count the trained tokens that no completion holds, by what they are; unknown ones beside a turn are its."""
        extra = verdict.document.trained & ~should
        there = {origins.spans[number].message for number in set(origins.owner[should].tolist())}
        for at in np.flatnonzero(extra).tolist():
            span = origins.spans[origins.owner[at]]
            if span.part == UNKNOWN.part and _beside(should & verdict.document.trained, origins.owner, at):
                continue  # a part of its turn, whose ids are compared
            if span.role == "template":
                verdict.add(Kind.HEADER, 1)
            elif span.role not in self._policy.roles:
                verdict.add(Kind.OTHERS, 1)
            elif span.message in reference.excluded:
                verdict.add(Kind.EXCLUDED, 1)
            elif span.message in there:  # quoted outside its turn, as the name of a tool in the header of its answer
                verdict.add(Kind.HEADER, 1)
            else:
                verdict.add(Kind.CONTEXT, 1)

    def _turn(self, verdict: Verdict, reference: Reference, origins: _Origins, own: Bools, message: int) -> None:
        """Count what is wrong with one trained turn: ``own`` are its tokens in the document."""
        document = verdict.document
        verdict.turns += 1
        there = np.flatnonzero(own)
        start, end = int(there[0]), int(there[-1]) + 1
        while start and origins.owner[start - 1] == -1:
            start -= 1
        expected = reference.turns.get(message)
        own_trained = own & document.trained
        if expected is None or not np.array_equal(document.ids[: expected.start], expected.ids[: expected.start]):
            verdict.add(Kind.CONTEXT, int(own_trained.sum()))
            verdict.lawful &= ~own
        parts = np.asarray([origins.spans[number].part for number in origins.owner[start:end]])
        if expected is not None:
            lost = expected.reasoning and not (parts == Part.REASONING).any()
            if lost:
                verdict.add(Kind.REASONING, expected.reasoning)
            elif unlike := _unlike(document, expected, start, end):
                verdict.add(Kind.IDS, unlike)
            elif verdict.lawful[own].any():
                verdict.lawful[start:end] = True
        stop = np.zeros(len(own), np.bool_)
        stop[start:end] = (parts == Part.STOP) & own[start:end]
        self._missing(verdict, own, own_trained, stop, cut=end == len(document.ids))

    def _missing(self, verdict: Verdict, own: Bools, own_trained: Bools, stop: Bools, *, cut: bool) -> None:
        """Count what a trained turn leaves out: its stop token, and, if the configuration masks none, other tokens."""
        if Part.STOP in self._policy.parts:
            if stop.any():
                verdict.add(Kind.STOP, int((stop & ~own_trained).sum()))
            elif not cut:
                verdict.add(Kind.STOP, 1)
        if self._policy.whole:
            verdict.add(Kind.UNTRAINED, int((own & ~stop & ~own_trained).sum()))


@dataclass(frozen=True, slots=True)
class _Origins:
    """What each token is: its span, by number; the last span, number -1, is that of what nobody knows."""

    spans: list[Span]
    owner: Ints


def _owners(row: Labelled) -> Ints:
    """Return the number of the span of each token of a row."""
    return np.repeat(np.arange(len(row.spans)), [span.end - span.start for span in row.spans])


def _stretches(marked: Bools) -> Iterator[tuple[int, int]]:
    """Yield ``start, end`` of each stretch of marked tokens."""
    edges = np.flatnonzero(np.diff(marked, prepend=False, append=False)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def _said(text: str, reference: Reference) -> Span | None:
    """Return whose text a stretch is that the rendering does not have, None where it is no message's."""
    short = squeezed(text)
    if len(short) < _TELLING:
        return None
    for number, message in enumerate(reference.conversation.messages):
        for part, own in ((Part.REASONING, reasoning_of(message)), (Part.CONTENT, message.content)):
            whole = squeezed(own)
            if len(whole) >= _TELLING and (short in whole or whole in short):
                mine = message.role == "assistant" and message.in_loss
                return Span(message.role, part, number, 0, 0, trained=mine)
    return None


def _beside(should: Bools, owner: Ints, at: int) -> bool:
    """Tell whether a token that nobody knows stands in or at the beginning of what is to be trained."""
    while at < len(owner) and owner[at] == -1:
        at += 1
    return at < len(owner) and bool(should[at])


def _unlike(document: Document, expected: ExpectedTurn, start: int, end: int) -> int:
    """Return in how many tokens a turn differs from its completion: trained ones it has, or those it lacks."""
    here, there = document.ids[start:end], expected.ids[expected.start :]
    if end == len(document.ids):
        there = there[: len(here)]  # cut off, which is told of the source alone
    if np.array_equal(here, there):
        return 0
    size = min(len(here), len(there))
    ahead = np.flatnonzero(here[:size] != there[:size])
    head = int(ahead[0]) if len(ahead) else size
    behind = np.flatnonzero(here[::-1][: size - head] != there[::-1][: size - head])
    tail = int(behind[0]) if len(behind) else size - head
    more = int(document.trained[start + head : end - tail].sum())
    return max(more, len(there) - head - tail)


def _tiled(kinds: list[Span], trained: Bools) -> Iterator[Span]:
    """Yield spans that tile a document, of what each token is and of whether it is trained."""
    at = 0
    for (role, part, message, marked), group in groupby(
        zip(kinds, trained.tolist(), strict=True), key=lambda each: (*each[0][:3], each[1])
    ):
        size = sum(1 for _ in group)
        yield Span(role, part, message, at, at + size, marked)
        at += size
