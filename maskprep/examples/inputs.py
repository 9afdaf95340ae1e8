"""What every command that prepares rows begins with: sources, tokenizer, template and policy of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from maskprep.config import Config
from maskprep.examples import Preparer
from maskprep.examples.setup import Template, preparer_of, template_of
from maskprep.formats import Line
from maskprep.sources.feed import Feed
from maskprep.tokenizer.backend import Backend
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that is needed to prepare rows: everything that can be refused has been looked at."""

    config: Config
    feed: Feed
    loaded: LoadedTokenizer
    preparer: Preparer
    now: datetime
    template: Template

    @property
    def sources(self) -> list[str]:
        """The names of all files that are read."""
        return self.feed.names

    def encoding_with(self, backend: Backend) -> Inputs:
        """Return inputs that are encoded with another backend."""
        return replace(self, preparer=self.preparer.encoding_with(backend))

    def lines(self) -> Iterator[Line]:
        """Yield the rows of all sources that are used, in order."""
        return self.feed.lines()


def look_at(config: Config, feed: Feed | None = None, now: datetime | None = None) -> Inputs:
    """Look at what ``config`` names.

    Args:
        config: names it.
        feed: that of its sources, if it has been looked at.
        now: the time that the template is given where ``config`` says none.

    Raises:
        UsageError: a source, the tokenizer or the template cannot be used.
    """
    feed = feed or Feed(config)
    loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
    now = config.now or now or datetime.now(UTC).replace(microsecond=0)
    template = template_of(config.chat_template)
    return Inputs(config, feed, loaded, preparer_of(config, loaded, now, template), now, template)
