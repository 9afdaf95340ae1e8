"""What every command that prepares rows begins with: sources, tokenizer, template and policy of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from maskprep.commands.feed import Feed, FileRows
from maskprep.config import Config
from maskprep.conversation import Part
from maskprep.errors import UsageError
from maskprep.formats import Line
from maskprep.prepare import Control, Overflow, Policy, Preparer
from maskprep.sequences import History
from maskprep.template.audit import AuditMode
from maskprep.template.limits import Limits
from maskprep.template.turn import Mismatch
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that is needed to prepare rows: everything that can be refused has been looked at."""

    config: Config
    feed: Feed
    loaded: LoadedTokenizer
    preparer: Preparer
    now: datetime

    @property
    def sources(self) -> list[str]:
        """The names of all files that are read."""
        return self.feed.names

    def lines(self, read: Callable[[int], None] | None = None, log: list[FileRows] | None = None) -> Iterator[Line]:
        """Yield the rows of all sources, in order; for the arguments see ``Feed.lines``."""
        return self.feed.lines(read, log)


def look_at(config: Config) -> Inputs:
    """Look at what ``config`` names.

    Raises:
        UsageError: a source, the tokenizer or the template cannot be used.
    """
    feed = Feed(config)
    loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
    now = config.now or datetime.now(UTC).replace(microsecond=0)
    text, named = _template(config.chat_template)
    policy, variables = policy_of(config), dict(config.template_kwargs)
    preparer = Preparer(
        loaded,
        now=now,
        policy=policy,
        template=text,
        named=named,
        variables=variables,
        audit=AuditMode(config.audit),
        limits=limits_of(config),
    )
    return Inputs(config, feed, loaded, preparer, now)


def limits_of(config: Config) -> Limits:
    """Return what one rendering of the template may take."""
    return Limits(config.template_seconds, config.template_bytes)


def policy_of(config: Config) -> Policy:
    """Return what ``config`` wants trained."""
    return Policy(
        history=History(config.history or History.SPLIT),
        mismatch=Mismatch(config.prompt_mismatch),
        roles=frozenset(config.train.roles),
        turns=config.train.turns,
        parts=frozenset(map(Part, config.train.parts)),
        empty_thoughts=config.train.empty_reasoning == "train",
        call_ids=config.train.tool_call_ids == "train",
        max_length=longest_allowed(config),
        overflow=Overflow(config.overflow),
        control=Control(config.control_tokens),
    )


def longest_allowed(config: Config) -> int | None:
    """Return the most tokens that a sequence may have: what is packed must fit into a packed row."""
    limits = [config.max_length, config.packing.length if config.packing else None]
    return min((limit for limit in limits if limit is not None), default=None)


def _template(choice: str | None) -> tuple[str | None, str | None]:
    """Return the text of the template file, or the name of one of the tokenizer's templates."""
    if choice is None:
        return None, None
    path = Path(choice)
    if not path.is_file():
        if path.suffix or "/" in choice:
            raise UsageError(f"no chat template file {choice!r}", "give the path of a Jinja file to --chat-template")
        return None, choice
    try:
        return path.read_text(encoding="utf-8"), None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{choice}: cannot be read as text: {error}") from error
