"""Where a build stops: what is recommended, tried on the rows that it stopped at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from maskprep.errors import BuildError, MaskprepError, RejectedError
from maskprep.examples.history_cost import Dear
from maskprep.examples.inputs import Inputs
from maskprep.formats import Line
from maskprep.progress import Progress
from maskprep.recommend.recommendation import Recommendation
from maskprep.sources.streams import STDIN


@contextmanager
def recommending(inputs: Inputs, held: Sequence[Line], progress: Progress) -> Iterator[None]:
    """Add a recommendation to the error where the block stops for its rows or for the price of its history.

    Args:
        inputs: of the build.
        held: the first rows where they cannot be read again; else none.
        progress: is told that settings are tried.
    """
    try:
        yield
    except (Dear, RejectedError) as error:
        facts = error.facts
        if isinstance(error, Dear) or facts.get("rows_rejected"):
            found = _recommendation(inputs, held, error, progress)
            if found is not None and (found.settings.settings or not found.useful):
                facts["recommended"] = found.facts()
                error.hint = found.advice()
        raise


def _recommendation(
    inputs: Inputs, held: Sequence[Line], error: BuildError, progress: Progress
) -> Recommendation | None:
    """Return the recommendation, None where there is none to be had."""
    from maskprep.recommend.choose import recommend  # noqa: PLC0415 - when a build has stopped
    from maskprep.recommend.sample import sample_of  # noqa: PLC0415

    if STDIN in inputs.sources and not held:
        return None
    progress.start("trying settings", None)
    examples = [noticed["example"] for noticed in error.facts.get("rejects", {}).values()]
    try:
        lines = held or inputs.lines()
        sample = sample_of(lines, {(example["file"], example["line"]) for example in examples})
        known = error.costs if isinstance(error, Dear) and error.costs.used == len(sample) else None
        inputs.preparer.begin()
        return recommend(inputs.config, inputs.preparer, sample, known)
    except MaskprepError:
        return None  # the source is gone, say: the build's own error is the one to tell
