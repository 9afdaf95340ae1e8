"""Many proved conversations finished at once, where each becomes one sequence and nothing is unusual about it.

    proved   row  row  row  row        drafts of one sequence each
    batch    │ ids, labels, spans │     the same steps as for one row, on arrays that hold all of them
    result   row  row  None row        None: to be finished by itself, by what says what must come out

Unusual is whatever needs more than arrays: a token across a border, a control token in data, text whose origin is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskprep.arrays import Bools, Ints
from maskprep.examples.control_tokens import ControlTokens
from maskprep.examples.labels import label_all
from maskprep.examples.mask import Marked, runs_of
from maskprep.examples.prepared import PreparedSequence
from maskprep.examples.sequences import Draft, TrainingSequence
from maskprep.labelled import Labelled, LabelledBatch
from maskprep.policy import Policy
from maskprep.template.turns.proved import Proved
from maskprep.tokenizer.batch import EncodedBatch
from maskprep.tokenizer.encode import Encoded, Encoder

Drafted = tuple[Proved, Draft]
"""A proved conversation, and a sequence that it may become."""


def finish_all(
    many: Sequence[Drafted], encoder: Encoder, control: ControlTokens, policy: Policy
) -> list[PreparedSequence | None]:
    """Return the sequences of many drafts, None for those whose conversations are to be finished one by one.

    Args:
        many: the drafts.
        encoder: encodes their texts.
        control: finds the control tokens in them.
        policy: what is trained.
    """
    texts = [draft.text for _, draft in many]
    encoded_batch = (
        encoder.encoded_batch([text.text for text in texts], [draft.starts for _, draft in many]) if many else None
    )
    if encoded_batch is None:
        # It is for one of them, maybe.
        half = len(many) // 2
        parts = (many[:half], many[half:]) if half else ()
        return [each for part in parts for each in finish_all(part, encoder, control, policy)] or [None] * len(many)
    runs = runs_of(texts)
    starts, ends = encoded_batch.edges[:-1], encoded_batch.edges[1:]
    spelt = control.from_data(encoded_batch.ids, starts, ends, encoded_batch.in_bytes(runs.ends), runs.sources)
    odd = ~encoded_batch.prefix_ok
    odd[np.searchsorted(encoded_batch.tokens, spelt, side="right") - 1] = True
    marked = [Marked(draft.text, draft.completions, proved.conversation.messages) for proved, draft in many]
    labelled, unclear = label_all(encoded_batch, marked, runs, policy)
    trained, unfaithful = _counts(labelled, [draft for _, draft in many])
    odd |= unclear | ~trained  # what trains nothing is told why
    return [
        None if alone else _prepared(each[1], one, encoded_batch, number, count)
        for number, (each, one, alone, count) in enumerate(
            zip(many, labelled, odd.tolist(), unfaithful.tolist(), strict=True)
        )
    ]


def _counts(labelled: LabelledBatch, drafts: Sequence[Draft]) -> tuple[Bools, Ints]:
    """Tell of each sequence whether it trains anything, and how many trained tokens are not faithful."""
    count, spans = len(drafts), labelled.spans
    whose = np.repeat(np.arange(count), np.diff(labelled.span_limits))
    sizes = np.where(spans.trained, spans.end - spans.start, 0)
    doubtful = [
        (number, completion.message)
        for number, draft in enumerate(drafts)
        for completion in draft.completions
        if not completion.faithful and completion.trained
    ]
    found = np.zeros(count, np.int64)
    if doubtful:
        rows, messages = np.asarray(doubtful, np.int64).T
        width = int(max(messages.max(), spans.message.max())) + 2
        is_doubtful = np.zeros(count * width, np.bool_)
        is_doubtful[rows * width + messages + 1] = True
        found = np.bincount(whose, sizes * is_doubtful[whose * width + spans.message + 1], count).astype(np.int64)
    return np.bincount(whose, sizes, count) > 0, found


def _prepared(
    draft: Draft, labelled: Labelled, encoded_batch: EncodedBatch, number: int, unfaithful: int
) -> PreparedSequence:
    """Return what one draft becomes."""
    low, high = encoded_batch.tokens[number : number + 2].tolist()
    edges = encoded_batch.edges[low : high + 1] - encoded_batch.bytes[number]
    encoded = Encoded(labelled.input_ids, edges[:-1], edges[1:])
    return PreparedSequence(labelled, TrainingSequence(draft.text, draft.completions, encoded), unfaithful)
