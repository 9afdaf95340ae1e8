"""What every command that prepares rows begins with: sources, tokenizer, template and policy of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from maskprep.config import Config
from maskprep.conversation import Part
from maskprep.errors import UsageError
from maskprep.formats import Line, expand, read_lines
from maskprep.prepare import Policy, Preparer
from maskprep.sequences import History
from maskprep.template.turn import Mismatch
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that is needed to prepare rows: everything that can be refused has been looked at."""

    config: Config
    sources: list[str]
    loaded: LoadedTokenizer
    preparer: Preparer
    now: datetime

    def lines(self, read: Callable[[int], None] | None = None) -> Iterator[Line]:
        """Yield the rows of all sources, in order; ``read`` is told how many more bytes of the files were read."""
        for source in self.sources:
            yield from read_lines(source, self.config.max_row_bytes, _growth(read) if read else None)


def look_at(config: Config) -> Inputs:
    """Look at what ``config`` names.

    Raises:
        UsageError: a source, the tokenizer or the template cannot be used.
    """
    sources = expand(config.sources)
    loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
    now = config.now or datetime.now(UTC).replace(microsecond=0)
    text, named = _template(config.chat_template)
    policy, variables = policy_of(config), dict(config.template_kwargs)
    preparer = Preparer(loaded, now=now, policy=policy, template=text, named=named, variables=variables)
    return Inputs(config, sources, loaded, preparer, now)


def policy_of(config: Config) -> Policy:
    """Return what ``config`` wants trained."""
    return Policy(
        history=History(config.history or History.SPLIT),
        mismatch=Mismatch(config.prompt_mismatch),
        turns=config.train.turns,
        parts=frozenset(map(Part, config.train.parts)),
        max_length=config.max_length,
    )


def _growth(read: Callable[[int], None]) -> Callable[[int], None]:
    """Turn the number of bytes read so far, of one file, into by how much it has grown."""
    before = 0

    def grown(consumed: int) -> None:
        nonlocal before
        read(consumed - before)
        before = consumed

    return grown


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
