"""``maskprep init``: a configuration for given data, with every line explained and the recommendation in it."""

from __future__ import annotations

from maskprep.config import Config
from maskprep.errors import UsageError
from maskprep.examples.inputs import look_at
from maskprep.recommend.choose import recommend
from maskprep.recommend.commented import commented
from maskprep.recommend.configuration import configuration
from maskprep.recommend.sample import sample_of


def init(config: Config, *, rows: bool) -> str:
    """Return the text of a configuration file.

    Args:
        config: what the user named; without ``rows`` its sources and tokenizer only stand for some.
        rows: whether sources and tokenizer are there, so that settings can be tried on the first rows.

    Raises:
        UsageError: a source, the tokenizer or the template cannot be used.
    """
    if not rows:
        return commented(configuration(config, {}), None)
    inputs = look_at(config)
    sample = sample_of(inputs.lines())
    found = recommend(config, inputs.preparer, sample)
    if found is None:
        raise UsageError(f"there is no row in {', '.join(inputs.sources)}", "give files with one JSON object a line")
    return commented(configuration(config, found.settings.values), found)
