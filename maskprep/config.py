"""What the user asked for: one frozen model, filled from defaults, a YAML file and the command line, in this order."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from maskprep.conversation import RESERVED_KWARGS
from maskprep.errors import UsageError


def _a_name(value: str) -> str:
    if not value or "\0" in value:
        raise ValueError("must be a name, neither empty nor with a NUL in it")
    return value


Name = Annotated[str, AfterValidator(_a_name)]
PartName = Literal["content", "reasoning", "tool_call", "scaffold", "stop"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Train(_Frozen):
    """Which tokens of a conversation are trained."""

    roles: tuple[Literal["assistant"], ...] = ("assistant",)
    turns: Literal["all", "last"] = "all"
    parts: Annotated[tuple[PartName, ...], Field(min_length=1)] = (
        "content",
        "reasoning",
        "tool_call",
        "scaffold",
        "stop",
    )


class Config(_Frozen):
    """The whole configuration of a build. ``history`` None: split, unless that turns out to be dear."""

    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    tokenizer: Name
    output: Name | None = None
    chat_template: Name | None = None
    template_kwargs: Mapping[str, Any] = {}
    now: datetime | None = None
    stop_tokens: tuple[str, ...] = ()
    history: Literal["split", "mask", "rendered"] | None = None
    max_expansion: Annotated[float, Field(ge=1)] = 2.0
    prompt_mismatch: Literal["reject", "graft", "train"] = "reject"
    train: Train = Train()
    max_length: Annotated[int, Field(ge=2)] | None = None
    overflow: Literal["reject"] = "reject"
    max_rejects: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_row_bytes: Annotated[int, Field(ge=1)] = 16 * 2**20
    shard_bytes: Annotated[int, Field(ge=1)] = 256 * 10**6

    @field_validator("sources", mode="before")
    @classmethod
    def _one_source(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("template_kwargs")
    @classmethod
    def _no_reserved(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        reserved = sorted(RESERVED_KWARGS & value.keys())
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: reserved, the template is given these by maskprep itself")
        return value

    def fingerprint(self) -> str:
        """Return a hash of everything that decides what is written, the place where it is written excepted."""
        facts = self.model_dump(mode="json", exclude={"output"})
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def load(
    file: str | None,
    given: Mapping[str, Any],
    settings: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration.

    Args:
        file: a YAML file, if any.
        given: what the command line sets by itself; None values are not set.
        settings: ``key.path=value`` pairs, the value in YAML; they win over ``file``, and ``given`` over them.
        base: the values of another configuration, instead of the defaults.

    Raises:
        UsageError: a key is unknown, a value does not fit, or the file cannot be read; it says where.
    """
    values: dict[str, Any] = _merge(base or {}, _read(file) if file else {})
    for setting in settings:
        _set(values, setting)
    values |= {key: value for key, value in given.items() if value is not None}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_explain(error, file)), "see the configuration in README.md") from error


def _read(file: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"no configuration file {file!r}", "give the path of a YAML file to --config") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as text: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # YAML's own dates and nesting may fail, too
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise UsageError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{file}: must hold `key: value` lines", "see configs/quickstart.yaml")
    return values


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **over}
    if isinstance(base.get("train"), dict) and isinstance(over.get("train"), dict):
        merged["train"] = {**base["train"], **over["train"]}
    return merged


def _set(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"--set {setting}: must be key.path=value", "for example --set train.turns=last")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--set {setting}: the value is not YAML") from error
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {setting}: {key} holds a single value, it has no {keys[-1]}")
        values = inner
    values[keys[-1]] = value


def _explain(error: ValidationError, file: str | None) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        path = [str(step) for step in fault["loc"]]
        key = ".".join(path)
        line = _line_of(file, path[-1]) if file and path else None
        where = f"{file}:{line}: " if line else ""
        if fault["type"] == "extra_forbidden":
            known = _keys(path[:-1])
            near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.4)
            meant = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
            yield f"{where}unknown key {key!r}: {meant}"
        elif fault["type"] == "missing":
            options = {"sources": "SOURCE", "tokenizer": "--tokenizer"}
            yield f"{key} is missing: give {options.get(key, key)}, or set it in the configuration"
        else:
            yield f"{where}{key}: {fault['msg'].removeprefix('Value error, ')}, not {fault['input']!r:.80}"


def _keys(path: Sequence[str]) -> list[str]:
    return sorted(Train.model_fields if path == ["train"] else Config.model_fields)


def _line_of(file: str, key: str) -> int | None:
    lines = Path(file).read_text(encoding="utf-8").split("\n")
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*:")
    return next((number for number, line in enumerate(lines, 1) if pattern.match(line)), None)
