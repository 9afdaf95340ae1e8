"""A row of sampled turns held against the ids of its source: what is trained was sampled, behind what was fed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from maskprep.conversation import Sampled
from maskprep.labelled import IGNORED, Labelled, completions_of


def sampled_faults(turns: Mapping[int, Sampled], row: Labelled) -> Iterator[str]:
    """Yield what is wrong with the trained turns of a row, whose source has the ids ``turns``, by message."""
    trained = row.labels != IGNORED
    outside = trained.copy()
    for message, start, end in completions_of(row, trained):
        outside[start:end] = False
        turn = turns.get(message)
        if turn is None:
            yield f"messages[{message}] is trained, of which no ids were sampled"
        elif row.input_ids[:start].tolist() != list(turn.prompt):
            yield f"messages[{message}]: the {start:,} ids before it are not the {len(turn.prompt):,} that were fed"
        elif row.input_ids[start:end].tolist() != list(turn.completion):
            yield f"messages[{message}]: its ids are not the {len(turn.completion):,} that were sampled"
        elif turn.weights is not None and (trained[start:end] & ~(np.asarray(turn.weights) > 0)).any():
            yield f"messages[{message}]: an id is trained that its mask leaves out"
    if outside.any():
        yield f"token {int(np.flatnonzero(outside)[0])} is trained, but lies in no turn"
