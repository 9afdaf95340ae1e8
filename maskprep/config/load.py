"""Reading the configuration: defaults, a YAML file and the command line, in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from maskprep.config.bundled import bundled_file, located, names
from maskprep.config.each_once import EachOnceLoader, KeyTwiceError
from maskprep.config.explain import explain
from maskprep.config.model import Config
from maskprep.errors import UsageError


def load(
    file: str | None,
    given: Mapping[str, Any],
    settings: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration that a file and the command line make of the defaults.

    Args:
        file: a YAML file, if any.
        given: what the command line sets by itself; None values are not set.
        settings: ``key.path=value`` pairs, the value in YAML; they win over ``file``, and ``given`` over them.
        base: the values of another configuration, instead of the defaults.

    Raises:
        UsageError: a key is unknown, a value does not fit, or the file cannot be read; the message says where.
    """
    values = _merge(base or {}, _read(file) if file else {})
    for setting in settings:
        _set(values, setting)
    values = _merge(values, {key: value for key, value in given.items() if value is not None})
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(explain(error, file)), "maskprep config KEY explains a key") from error


def limited(config: Config, rows: int) -> Config:
    """Return a configuration that reads no more than so many first rows of each source."""
    sources = [source.model_copy(update={"max_rows": min(rows, source.max_rows or rows)}) for source in config.sources]
    return config.model_copy(update={"sources": tuple(sources)})


def _read(file: str) -> dict[str, Any]:
    own = bundled_file(file)
    return located(_read_yaml(str(own))) if own is not None else _read_yaml(file)


def _read_yaml(file: str) -> dict[str, Any]:
    try:
        values = yaml.load(Path(file).read_text(encoding="utf-8"), EachOnceLoader)  # noqa: S506 - one of the safe ones
    except FileNotFoundError as error:
        raise UsageError(
            f"no configuration file {file!r}",
            f"give the path of a YAML file to --config, or one of {', '.join(names())}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as text: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # YAML's own dates and nesting may fail, too
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        what = "" if isinstance(error, KeyTwiceError) else "not YAML: "
        told = f"{where}: {what}{getattr(error, 'problem', None) or error}"
        raise UsageError(told, "mend the file there, or just above") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{file}: must hold `key: value` lines", "see configs/quickstart.yaml")
    return values


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``base`` with those of ``over`` in their place, within the sections key by key."""
    base, over = _spelt_out(base), _spelt_out(over)
    merged = {**base, **over}
    for section in ("train", "tokenizer", "adapt"):
        if isinstance(base.get(section), dict) and isinstance(over.get(section), dict):
            merged[section] = {**base[section], **over[section]}
    return merged


def _spelt_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with ``tokenizer: NAME``, which is short for a section, written as that section."""
    tokenizer = values.get("tokenizer")
    return {**values, "tokenizer": {"name": tokenizer}} if isinstance(tokenizer, str) else dict(values)


def _set(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"--set {setting}: must be key.path=value", "for example --set train.turns=last")
    try:
        value = yaml.load(text, EachOnceLoader)  # noqa: S506 - one of the safe ones
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None)
        what = "" if isinstance(error, KeyTwiceError) else "the value is not YAML"
        raise UsageError(f"--set {setting}: {': '.join(filter(None, (what, problem)))}") from error
    for key in keys[:-1]:
        if values.get(key) is None:
            values[key] = {}
        inner = values[key]
        if not isinstance(inner, dict):
            raise UsageError(f"--set {setting}: {key} holds a single value, it has no {keys[-1]}")
        values = inner
    values[keys[-1]] = value
