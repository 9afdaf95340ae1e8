"""A configuration to paste: what the user gave, and the recommended settings, as a mapping and as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from maskprep.config import Config
from maskprep.errors import UsageError
from maskprep.recommend.typed import nested
from maskprep.sources.streams import STDIN

FILES, OUTPUT = "conversations.jsonl", "out/train"
"""What stands for sources and output where the user named none."""

STAND_IN = {"sources": [FILES], "tokenizer": "Qwen/Qwen3-8B"}
"""What stands for what a configuration must have."""


def configuration(config: Config, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``config`` was given beside the defaults, with ``settings`` by dotted key over it, as JSON types."""
    given = config.model_dump(mode="json", exclude_unset=True, exclude_defaults=True)
    sources = [source["path"] if len(source) == 1 else source for source in given.pop("sources")]
    tokenizer = given.pop("tokenizer")
    found: dict[str, Any] = {
        "sources": [FILES] if sources == [STDIN] else sources,
        "tokenizer": tokenizer["name"] if len(tokenizer) == 1 else tokenizer,
        "output": given.pop("output", OUTPUT),
        **given,
    }
    for key, value in nested(settings).items():
        inner = found.get(key)
        found[key] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


def written(values: Mapping[str, Any]) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1000)


def write_new(file: str, text: str) -> None:
    """Write a configuration to a file that is not there yet.

    Raises:
        UsageError: it is there, or cannot be written.
    """
    try:
        with Path(file).open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already, and is not overwritten", "give another name") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}", "give another name") from error
