r"""The segments of one kind that tile a sequence: runs of one source, cut where completions begin and end.

text      <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n
runs      ├─ template ───┤├┤├─ template ──────────────────────┤├───┤├─ template ─┤
segments  ├─ scaffold ───┤├┤├─ scaffold ──────────────────────┤├───┤├─ stop ──┤├┤
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from maskprep.arrays import Bools, Floats, Ints, Kinds, last_alike, limits_of
from maskprep.conversation import Message
from maskprep.errors import RowError
from maskprep.examples.sequences import CompletionSpan
from maskprep.policy import Part, Policy
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import (
    CALL_ID,
    FIRST_RANGE,
    NOTATION,
    is_lost,
    message_of,
    part_of,
    shade_of,
)

PARTS = tuple(Part)
"""The parts, by the numbers that kinds are made of: ``(message + 1) * len(PARTS) + part``."""


def weight_of(policy: Policy, message: Message, part: Part, source: int) -> float:
    """Return what text of ``message`` counts in the loss.

    Raises:
        RowError: the data tells stretches of the message apart, and the template has mixed them.
    """
    if part not in policy.parts:
        return 0.0
    shade = shade_of(source)
    if shade == CALL_ID and not policy.call_ids:
        return 0.0
    if shade >= FIRST_RANGE:
        return message.ranges[shade - FIRST_RANGE].weight
    if is_lost(source) and (message.ranges or not policy.call_ids):
        msg = "the template mixes this text in a way that hides which of its characters are masked"
        raise RowError("provenance-lost", msg, "use a template that prints message text as it is")
    return message.weight


class MaskSegments(NamedTuple):
    """The segments of a text in order: where each ends, in characters; its kind; and what it counts in the loss.

    ``odd`` tells of each sequence whether it is one to be cut by itself: all is true of the others.
    """

    ends: Ints
    kinds: Kinds
    weights: Floats
    odd: Bools


class Marked(NamedTuple):
    """A text, the completions in it, and the messages of its conversation."""

    text: Rendered
    completions: Sequence[CompletionSpan]
    messages: Sequence[Message]


def cut(marked: Marked, policy: Policy) -> MaskSegments:
    """Return the segments of one sequence.

    Raises:
        RowError: a trained completion holds text of another message, or text of which nobody knows whether it is to be
            trained.
    """
    runs = runs_of([marked.text])
    together = cut_all([marked], runs, policy)
    return _one_by_one(marked, runs, together.ends, policy) if together.odd[0] else together


class TextRuns(NamedTuple):
    """The runs of many texts one behind the other: where each ends, in characters; its source; where texts meet."""

    ends: Ints
    sources: Ints
    limits: Ints


def runs_of(texts: Sequence[Rendered]) -> TextRuns:
    """Return the runs of many texts."""
    flat = chain.from_iterable(chain.from_iterable(text.runs for text in texts))
    sizes, sources = np.fromiter(flat, np.int64).reshape(-1, 2).T
    return TextRuns(np.cumsum(sizes), sources, limits_of(map(len, texts)))


def cut_all(many: Sequence[Marked], runs: TextRuns, policy: Policy) -> MaskSegments:
    """Return the segments of many sequences, their texts one behind the other.

    Odd are those that hold text of which stretches are told apart, or that is lost, or foreign text.
    """
    run_ends, sources, limits = runs
    flat = [
        (number, message, trained, start, *thought, stop, end)
        for number, each in enumerate(many)
        for message, start, stop, end, trained, _, thought in each.completions
    ]
    table = np.fromiter(chain.from_iterable(flat), np.int64, 8 * len(flat)).reshape(-1, 8)
    rows = table[:, 0]
    table[:, 3:] = np.minimum(table[:, 3:] + limits[rows][:, None], limits[rows + 1][:, None])
    ends = np.concatenate((run_ends, table[:, 3:].ravel()))
    ends.sort()
    ends = ends[last_alike(ends) & (ends > 0)]
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    source = sources[np.searchsorted(run_ends, starts, side="right")]
    within = _within(starts, table[:, 3], table[:, 7])
    part = np.where(source > 0, _PART_OF[source % _SOURCES], _SCAFFOLD)
    message = np.where(source > 0, source // _SOURCES - 2, -1)
    weights = np.zeros(len(ends), np.float32)
    odd = np.zeros(len(many), np.bool_)
    unclear = (source >= NOTATION) | (source % _SOURCES == _LOST)
    if unclear.any():
        odd[np.searchsorted(limits, starts[unclear], side="right") - 1] = True
    inside = np.flatnonzero(within >= 0)
    if len(inside):
        row, own, trained, _, low, high, stop, _ = table[within[inside]].T
        at, trained = starts[inside], trained > 0
        # Within its completion the speaker writes the scaffold, too.
        message[inside] = whose = np.where(source[inside] > 0, message[inside], own)
        odd[row[trained & (whose != own)]] = True
        part[inside] = parts = np.where(at >= stop, _STOP, part[inside])
        if not policy.empty_thoughts:
            trained &= ~((low <= at) & (at < high))
        counts = np.asarray([message.weight for each in many for message in each.messages], np.float32)
        firsts = limits_of(len(each.messages) for each in many)[:-1]
        chosen = np.asarray([part in policy.parts for part in PARTS])
        weights[inside] = np.where(trained & chosen[parts], counts[firsts[row] + own], 0)
    return MaskSegments(ends, ((message + 1) * len(PARTS) + part).astype(np.int32), weights, odd)


def _within(starts: Ints, begins: Ints, ends: Ints) -> Ints:
    """Return the number of the completion that each segment lies in, -1 for none."""
    # A completion that ends behind the next one is not looked at any further once that one is.
    found = np.searchsorted(np.maximum.accumulate(ends), starts, side="right")
    return np.where(starts >= np.append(begins, _NEVER)[found], found, -1)


def _one_by_one(marked: Marked, runs: TextRuns, ends: Ints, policy: Policy) -> MaskSegments:
    """Return the segments of a sequence, each looked at by itself. Raises ``RowError``."""
    run_ends, sources, _ = runs
    completions = marked.completions
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    places = (np.asarray([place(s) for s in completions], np.int64) for place in (_START, _END))
    within = _within(starts, *places)
    kinds, weights = [], []
    for start, run, number in zip(
        starts.tolist(), np.searchsorted(run_ends, starts, side="right").tolist(), within.tolist(), strict=True
    ):
        source = int(sources[run])
        message, part, weight = message_of(source), part_of(source), 0.0
        if number >= 0:
            completion = completions[number]
            message, part = (message, part) if source else (completion.message, Part.SCAFFOLD)
            if completion.trained and message != completion.message:
                raise _foreign(completion.message)
            if start >= completion.stop:
                part = Part.STOP
            emptied = not policy.empty_thoughts and completion.thought[0] <= start < completion.thought[1]
            if completion.trained and not emptied:
                weight = weight_of(policy, marked.messages[message], part, source)
        kinds.append((message + 1) * len(PARTS) + PARTS.index(part))
        weights.append(weight)
    return MaskSegments(ends, np.asarray(kinds, np.int32), np.asarray(weights, np.float32), np.zeros(1, np.bool_))


def _foreign(message: int) -> RowError:
    return RowError("foreign-text", f"text of another message stands in the completion of messages[{message}]")


_SOURCES = 16  # see ``template/strings/origin.py``: the number of parts that a source can name
_LOST = 15
_START, _END = attrgetter("start"), attrgetter("end")
_NEVER = np.iinfo(np.int64).max
_PART_OF = np.asarray([PARTS.index(part_of(32 + number)) if number < 5 else 0 for number in range(_SOURCES)])  # noqa: PLR2004
_SCAFFOLD, _STOP = PARTS.index(Part.SCAFFOLD), PARTS.index(Part.STOP)
