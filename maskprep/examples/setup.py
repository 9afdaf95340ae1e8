"""From a configuration to what prepares rows: the same for a build, its workers, and every other command."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from maskprep.config import Config
from maskprep.errors import UsageError
from maskprep.examples import Preparer
from maskprep.policy import (
    Adaptations,
    BackendChoice,
    History,
    Policy,
    Trained,
)
from maskprep.template.sandbox.limits import Limits
from maskprep.tokenizer.backend import Backend, TransformersBackend, choose_backend
from maskprep.tokenizer.load import LoadedTokenizer

Template = tuple[str | None, str | None]
"""The text of a template file, or the name of one of the tokenizer's templates."""


def preparer_of(
    config: Config, loaded: LoadedTokenizer, now: datetime, template: Template, backend: Backend | None = None
) -> Preparer:
    """Return what prepares the rows of ``config``; without a ``backend``, transformers encodes.

    Raises:
        UsageError: the template cannot be used.
    """
    text, named = template
    return Preparer(
        loaded,
        now=now,
        policy=policy_of(config),
        template=text,
        named=named,
        variables=dict(config.template_kwargs),
        audit=config.audit,
        limits=limits_of(config),
        backend=backend,
    )


def limits_of(config: Config) -> Limits:
    """Return what one rendering of the template may take."""
    return Limits(config.template_seconds, config.template_bytes)


def policy_of(config: Config) -> Policy:
    """Return what ``config`` wants trained."""
    return Policy(
        history=config.history or History.SPLIT,
        mismatch=config.prompt_mismatch,
        roles=frozenset(config.train.roles),
        turns=config.train.turns,
        parts=frozenset(config.train.parts),
        empty_thoughts=config.train.empty_reasoning is Trained.TRAIN,
        call_ids=config.train.tool_call_ids is Trained.TRAIN,
        max_length=longest_allowed(config),
        overflow=config.overflow,
        control=config.control_tokens,
        adaptations=Adaptations(**dict(config.adapt)),
    )


def longest_allowed(config: Config) -> int | None:
    """Return the most tokens that a sequence may have: what is packed must fit into a packed row."""
    limits = [config.max_length, config.packing.length if config.packing else None]
    return min((limit for limit in limits if limit is not None), default=None)


def template_of(choice: str | None) -> Template:
    """Read the template that ``chat_template`` names.

    Raises:
        UsageError: it is no file that can be read as text.
    """
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


def backend_named(name: str, loaded: LoadedTokenizer, note: str = "") -> Backend:
    """Return the backend that was decided on, with the note why it is not another.

    Raises:
        UsageError: it is not to be had here.
    """
    if name == BackendChoice.FASTOKENS:
        return choose_backend(loaded.tokenizer, BackendChoice.FASTOKENS, first=0)
    return TransformersBackend(loaded.tokenizer, note)
