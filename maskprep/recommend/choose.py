"""The one function that recommends: measure, search, measure again, and choose a way to treat history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

from maskprep.config import Config
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.advice import unquoted
from maskprep.examples.history_cost import Costs
from maskprep.examples.remedies import Remedy
from maskprep.examples.tree_models import can_have_trees
from maskprep.policy import History, Mismatch
from maskprep.recommend.measure import Measured, measure
from maskprep.recommend.recommendation import Alternative, Left, Recommendation
from maskprep.recommend.sample import SampleRow
from maskprep.recommend.search import Search, kind_of
from maskprep.recommend.words import HISTORIES, WHAT, meanings, why_left

_MOST_LEFT = 5  # kinds of rows that are left over


def recommend(
    config: Config, preparer: Preparer, sample: Sequence[SampleRow], known: Costs | None = None
) -> Recommendation | None:
    """Return the settings that make most of a sample trainable in faithful ways; None where there is no row.

    Variables of the template come before changes to the data, and these before ``prompt_mismatch: graft``; contexts
    that no server sends are never recommended.

    Args:
        config: what was asked for: the settings are to be added to it.
        preparer: prepares rows as ``config`` wants it.
        sample: some rows.
        known: the costs of the sample's rows under ``config``, where they were measured and all rows can be used.
    """
    if not sample:
        return None
    before = Measured(len(sample), known, {}) if known else measure(preparer, sample, Remedy(()))
    mending, after, deeper = _mended(preparer, sample, before)
    history = _history(config, after.costs)
    chosen = config.history or history or History.SPLIT
    settings = mending + Remedy((("history", str(history)),)) if history else mending
    left = after.rows - after.used
    if after.used and left > config.max_rejects * after.rows:
        settings += Remedy((("max_rejects", _allowing(left / after.rows)),))
    others = [
        *_other_histories(after.costs, mending, chosen),
        *(_by_mismatch(preparer, sample, before, mending, chosen)),
    ]
    why = [*meanings(mending)]
    if history or after.costs.times(History.SPLIT) > 1.01:  # noqa: PLR2004 - a hundredth is no cost
        why.append(f"history {chosen}: {HISTORIES[chosen]}")
    for part, rows in after.lost.items():
        why.append(f"in {rows:,} rows the template writes nothing of {WHAT[part]}: the model never learns it")
    if left and after.used:
        why.append(f"{left:,} of {after.rows:,} rows are left out: no faithful setting was found for them")
    return Recommendation(
        settings,
        after.rows,
        before.used,
        after.used,
        _way(after.costs, settings, chosen, HISTORIES[chosen]),
        _left(sample, after, deeper),
        tuple(others),
        tuple(why),
        after.costs,
        after.lost,
    )


def _mended(
    preparer: Preparer, sample: Sequence[SampleRow], before: Measured
) -> tuple[Remedy, Measured, Mapping[tuple[str, str], RowError]]:
    """Return settings that mend rejected rows, what they make of the sample, and reasons behind the first ones."""
    if not before.failures:
        return Remedy(()), before, {}
    read = {number: row.conversation for number, row in enumerate(sample) if row.conversation is not None}
    search = Search(preparer, read, before.failures)
    found = search.best()
    if found.settings:
        after = measure(preparer, sample, found)
        if after.used > before.used:
            return found, after, search.deeper
    return Remedy(()), before, search.deeper


def _history(config: Config, costs: Costs) -> History | None:
    """Return the history to choose, None where the user chose one or nothing need be chosen."""
    if config.history is not None or costs.times(History.SPLIT) <= config.max_expansion:
        return None
    split, tree, mask = (costs.by[history] for history in (History.SPLIT, History.TREE, History.MASK))
    if can_have_trees(config) and tree.rows >= split.rows:
        return History.TREE
    # One rendering that trains nearly as much is the better bargain; else nothing is left untrained.
    return History.MASK if mask.trained_tokens >= _NEARLY * split.trained_tokens else History.SPLIT


def _allowing(share: float) -> float:
    """Return a ``max_rejects`` that lets a share pass, with some room: the sample is not all rows."""
    room = max(0.01, min(share / 5, (1 - share) / 2))
    return min(1.0, math.ceil(100 * (share + room)) / 100)


def _way(costs: Costs, settings: Remedy, history: History, means: str) -> Alternative:
    return Alternative(settings, costs.by[history], costs.times(history), means)


def _other_histories(costs: Costs, mending: Remedy, chosen: History) -> list[Alternative]:
    """Return the other ways to treat history, where they differ from the chosen one at all."""
    if len({astuple(cost) for cost in costs.by.values()}) == 1:
        return []
    return [
        _way(costs, mending + Remedy((("history", str(history)),)), history, HISTORIES[history])
        for history in History
        if history is not chosen
    ]


def _by_mismatch(
    preparer: Preparer, sample: Sequence[SampleRow], before: Measured, mending: Remedy, history: History
) -> list[Alternative]:
    """Return the ways to train turns that the prompt does not fit, where rows were rejected for that."""
    if not any(error.code == "prompt-mismatch" for error in before.failures.values()):
        return []
    found = []
    for way in (Mismatch.GRAFT, Mismatch.TRAIN):
        remedy = Remedy((("prompt_mismatch", str(way)),))
        if remedy.settings[0] in mending.settings:
            continue
        others = Remedy(tuple(each for each in mending.settings if each[0] != "prompt_mismatch"))
        costs = measure(preparer, sample, others + remedy, (history,)).costs
        found.append(_way(costs, others + remedy, history, meanings(remedy)[0]))
    return found


def _left(sample: Sequence[SampleRow], after: Measured, deeper: Mapping[tuple[str, str], RowError]) -> tuple[Left, ...]:
    """Return the kinds of rows that are left over, the largest first."""
    kinds: dict[tuple[str, str], Left] = {}
    for number, error in after.failures.items():
        behind = deeper.get(kind_of(error))
        told = why_left(error.code, error.message)
        if behind is not None:
            told += f"; and where that is adapted: {why_left(behind.code, behind.message)}"
        key = error.code, unquoted(told)
        known = kinds.get(key)
        kinds[key] = (
            replace(known, rows=known.rows + 1) if known else Left(error.code, 1, str(sample[number].where), told)
        )
    return tuple(sorted(kinds.values(), key=lambda kind: -kind.rows)[:_MOST_LEFT])


_NEARLY = 0.8
