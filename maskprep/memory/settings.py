"""From settings in Python to what prepares rows: the configuration's keys, less those that only a build has."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskprep.config import Config, load
from maskprep.errors import UsageError
from maskprep.examples import Preparer
from maskprep.examples.setup import Template, preparer_of, template_of
from maskprep.examples.tree_models import refuse_model
from maskprep.formats import Reading
from maskprep.memory.lines import NAME
from maskprep.sources.feed import reading_of
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer, loaded_from

KEYS = frozenset(
    {
        *("format", "columns", "roles", "ignore", "preference", "tool_tags", "mixed_formats", "drop_nulls"),
        *("chat_template", "template_kwargs", "now", "stop_tokens", "history", "max_expansion", "prompt_mismatch"),
        *("adapt", "control_tokens", "train", "max_length", "overflow", "max_rejects", "audit"),
        *("template_seconds", "template_bytes", "max_row_bytes", "profile"),
    }
)
"""The settings that decide on what becomes of a row in memory."""


@dataclass(frozen=True, slots=True)
class Ready:
    """All that is needed to prepare rows in memory: everything that can be refused has been looked at."""

    config: Config
    loaded: LoadedTokenizer
    preparer: Preparer
    reading: Reading
    now: datetime
    template: Template


def configured(tokenizer: Any, settings: Mapping[str, Any]) -> Config:
    """Return the configuration of settings.

    Args:
        tokenizer: a folder, a hub id, a mapping as under ``tokenizer`` in a configuration, or one that is loaded.
        settings: keys of the configuration.

    Raises:
        UsageError: a key is unknown or means nothing for rows in memory, or a value does not fit.
    """
    foreign = sorted(settings.keys() - KEYS)
    known = [key for key in foreign if key in Config.model_fields]
    if known:
        msg = f"{', '.join(known)}: a build's, and nothing to a Masker"
        raise UsageError(msg, "leave it out here, or give it to maskprep.build")
    named = tokenizer if isinstance(tokenizer, str | Mapping) else _name_of(tokenizer)
    return load(None, plain({"sources": [NAME], "tokenizer": named, **settings}))


def plain(value: Any) -> Any:
    """Return settings with paths as text, wherever they stand."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def ready(tokenizer: Any, config: Config, now: datetime | None = None, template: Template | None = None) -> Ready:
    """Return what prepares rows by a configuration, with the text of its template as it was read before, if it was.

    Raises:
        UsageError: the tokenizer or the template cannot be used.
    """
    if isinstance(tokenizer, str | Mapping | Path):
        loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
    else:
        loaded = loaded_from(copy.deepcopy(tokenizer), config.tokenizer.name, config.stop_tokens)
    refuse_model(config)
    now = config.now or now or datetime.now(UTC).replace(microsecond=0)
    template = template or template_of(config.chat_template)
    preparer = preparer_of(config, loaded, now, template)
    return Ready(config, loaded, preparer, reading_of(config, config.sources[0]), now, template)


def _name_of(tokenizer: Any) -> Any:
    if isinstance(tokenizer, Path):
        return tokenizer
    if not hasattr(tokenizer, "get_vocab"):
        msg = f"the tokenizer is a {type(tokenizer).__name__}"
        raise UsageError(msg, "give a folder, a hub id, or a tokenizer of transformers")
    return getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
