"""Packed rows: each document in its pack has the loss that it has alone, and sees nothing of the others.

input_ids      a a a a b b b c c
position_ids   0 1 2 3 0 1 2 0 1     reset at each document: models derive the document mask from it
labels         - x x x - x x - x     the first token of a document is never trained: another one precedes it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.labelled import IGNORED
from maskprep.verify.model_runner import Floats64, Runner
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = (
    "documents in a pack must not see each other: pack again; train with position_ids that start at 0 in each "
    "document, without an attention mask, and with -100 as the first label of each"
)


@dataclass(frozen=True, slots=True)
class Pack:
    """One packed row: ids, labels and position ids of one length, and the lengths of its documents, in order."""

    number: int
    ids: Ints
    labels: Ints
    positions: Ints
    lengths: tuple[int, ...]

    def documents(self) -> list[slice]:
        """Return the slice of each document in the packed row."""
        return [slice(start, stop) for start, stop in pairwise(accumulate(self.lengths, initial=0))]


def check_packing(runner: Runner, packs: Sequence[Pack]) -> Result:
    """Return the result of checking packs by their columns and with a model."""
    if not packs:
        return skipped("packing", "not packed: nothing to check")
    faults, worst, documents = Faults(), 0.0, 0
    for pack in packs:
        if sum(pack.lengths) != len(pack.ids) or min(pack.lengths, default=0) < 1:
            faults.add(f"row {pack.number}: the lengths of its documents do not add up to its tokens")
            continue
        documents += len(pack.lengths)
        for index, place in enumerate(pack.documents()):
            name = f"row {pack.number}, document {index}"
            if pack.labels[place.start] != IGNORED:
                faults.add(f"{name}: its first token is trained, as if the document before it were its prompt")
            if not np.array_equal(pack.positions[place], np.arange(place.stop - place.start)):
                faults.add(f"{name}: position_ids do not start again at 0")
        worst = max(worst, _with_model(runner, pack, faults, np.random.default_rng(0)))
    return faults.result(
        "packing",
        "each document has the loss in its pack that it has alone, and none sees another",
        "documents in a pack see each other",
        _ADVICE,
        figures={
            "rows": len(packs),
            "documents": documents,
            "worst_difference": worst,
            "tolerance": runner.tolerance,
        },
    )


def _with_model(runner: Runner, pack: Pack, faults: Faults, chance: np.random.Generator) -> float:
    """Return the worst difference between a pack, its documents run alone, and the pack with one document changed."""
    together, states = _run(runner, pack.ids, pack.positions)
    worst = 0.0
    for index, place in enumerate(pack.documents()):
        trained = pack.labels[place] != IGNORED
        trained[0] = False
        if not trained.any():
            continue
        alone, _ = _run(runner, pack.ids[place], np.arange(place.stop - place.start))
        here, there = float(together[place][trained].mean()), float(alone[trained].mean())
        worst = max(worst, abs(here - there) / max(1.0, abs(there)))
        if not abs(here - there) <= runner.tolerance * max(1.0, abs(there)):
            faults.add(f"row {pack.number}, document {index}: its loss is {here:.6f} in the pack, {there:.6f} alone")
    if len(pack.lengths) > 1:
        changed = pack.documents()[int(chance.integers(len(pack.lengths) - 1))]
        ids = pack.ids.copy()
        ids[changed] = (ids[changed] + 1 + chance.integers(runner.vocabulary - 1)) % runner.vocabulary
        _, others = _run(runner, ids, pack.positions)
        kept = np.ones(len(ids), np.bool_)
        kept[changed] = False
        moved = (states - others).abs().amax(-1).float().cpu().numpy()[kept] > runner.tolerance
        if moved.any():
            at = int(np.flatnonzero(kept)[np.flatnonzero(moved)[0]])
            faults.add(f"row {pack.number}: changing tokens {changed.start}:{changed.stop} changes the logits at {at}")
    return worst


def _run(runner: Runner, ids: Ints, positions: Ints) -> tuple[Floats64, Any]:
    """Return the loss of each token (the first has none: NaN) and the hidden states."""
    tensor = runner.tensor(ids)
    hidden = runner.hidden(tensor[None], position_ids=runner.tensor(positions)[None])[0]
    return np.concatenate((np.full(1, np.nan), runner.nll(hidden[:-1], tensor[1:]))), hidden
