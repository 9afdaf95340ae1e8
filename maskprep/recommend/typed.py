"""A recommendation as it is typed: the user's own command line with more options, or YAML for a configuration."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_OPTIONS = {"history": "--history", "prompt_mismatch": "--prompt-mismatch", "max_rejects": "--max-rejects"}
"""Settings that have an option of their own: one that the user gave wins over ``--set``."""


def command_with(words: Sequence[str], settings: Mapping[str, Any]) -> str:
    """Return a command line that is ``words`` with some settings more, quoted for a shell.

    Args:
        words: what was typed behind ``maskprep``.
        settings: values by key of the configuration, as JSON types.
    """
    more: list[str] = []
    for key, value in settings.items():
        text = _typed(value)
        more += [_OPTIONS[key], text] if key in _OPTIONS else ["--set", f"{key}={text}"]
    end = list(words).index("--") if "--" in words else len(words)  # behind it stand file names alone
    return shlex.join(["maskprep", *words[:end], *more, *words[end:]])


def add_typed(recommended: dict[str, Any], words: Sequence[str]) -> None:
    """Add to a recommendation, as JSON types, the ``command`` and the ``yaml`` that ask for it.

    Args:
        recommended: holds ``settings``.
        words: what was typed behind ``maskprep``. Where it names a configuration file, ``in_file`` becomes true.
    """
    settings = recommended["settings"]
    recommended["command"] = command_with(words, settings)
    recommended["yaml"] = yaml_of(settings) if settings else ""
    recommended["in_file"] = any(word.partition("=")[0] == "--config" for word in words)


def yaml_of(settings: Mapping[str, Any]) -> str:
    """Return settings as lines of a configuration file."""
    return yaml.safe_dump(nested(settings), sort_keys=False, allow_unicode=True, default_flow_style=False)


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys as mappings within each other."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        *outer, last = key.split(".")
        inner = found
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return found


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
