"""A configuration's faults in words: where each stands, what the key takes, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from maskprep.config.keys import choices_of
from maskprep.config.model import Config
from maskprep.config.sections import SECTIONS, TURNS

_NEAR = 0.4  # how alike a word and the one that was meant must be
_CHOICE = re.compile(r"'([^']+)'")  # a choice in pydantic's list of those that there are
_OPTIONS: Mapping[str, str] = MappingProxyType(
    {"sources": "SOURCE", "tokenizer": "--tokenizer", "tokenizer.name": "--tokenizer"}
)
_TAKES: Mapping[str, str] = MappingProxyType(
    {
        "int": "must be a whole number",
        "float": "must be a number",
        "bool": "must be true or false",
        "string": "must be a text",
        "tuple": "must be one value, or a list of them",
        "list": "must be one value, or a list of them",
        "dict": "must be a mapping: {key: value, …}",
        "model": "must be a mapping: {key: value, …}",
        "datetime": "must be a time, such as 2026-01-31T12:00:00Z",
    }
)
_OWN: Mapping[tuple[int | str, ...], str] = MappingProxyType(
    {("turns",): TURNS, ("packing",): "must be a number of tokens, or a mapping such as {length: 4096}"}
)
_BOUNDS: Mapping[str, str] = MappingProxyType(
    {
        "greater_than_equal": "must be {ge:g} or more",
        "greater_than": "must be more than {gt:g}",
        "less_than_equal": "must be {le:g} or less",
        "less_than": "must be less than {lt:g}",
    }
)


def explain(error: ValidationError, file: str | None) -> Iterator[str]:
    """Yield each fault of a configuration as a sentence; ``file`` is what it was read from, if anything."""
    faults = error.errors(include_url=False)
    inner = {fault["loc"][:-1] for fault in faults}
    for fault in faults:
        if fault["type"] == "too_short" and fault["loc"] in inner:
            continue  # of a list that lacks what was at fault in it
        yield _sentence(fault, file)


def _sentence(fault: ErrorDetails, file: str | None) -> str:
    path = [str(step) for step in fault["loc"]]
    key = _spelt(fault["loc"])
    name = next((step for step in reversed(path) if not step.isdecimal()), "")
    line = _line_of(file, name) if file and name else None
    where = f"{file}:{line}: " if line else ""
    if fault["type"] == "extra_forbidden":
        known = _keys(path[:-1])
        near = near_to(path[-1], known)
        told = f"did you mean {near!r}?" if near else f"known are: {', '.join(known)}"
        return f"{where}unknown key {key!r}: {told}"
    if fault["type"] == "missing":
        return f"{key} is missing: give {_OPTIONS.get(key, key)}, or set it in the configuration"
    given = fault["input"]
    meant = _meant(name, given, _choices(fault, path))
    return f"{where}{key}: {_takes(fault)}, not {_quoted(given)}{f': did you mean {meant!r}?' if meant else ''}"


def _quoted(value: Any) -> str:
    """Return a value as it is quoted in a message: short, and a number as one types it."""
    return f"{value:g}" if isinstance(value, float) else f"{value!r:.80}"


def _spelt(steps: Sequence[int | str]) -> str:
    """Return a place in the configuration as one types it: ``train.parts[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _takes(fault: ErrorDetails) -> str:
    """Return what a key takes, in plain words."""
    kind, told = fault["type"], fault["msg"].removeprefix("Value error, ")
    if fault["loc"][-1:] in _OWN and kind in {"string_type", "model_type"}:
        return _OWN[fault["loc"][-1:]]
    context = fault.get("ctx", {})
    if kind == "enum":
        return f"must be one of {', '.join(_CHOICE.findall(context['expected']))}"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    if kind == "too_short":
        return "must have one value or more"
    return _TAKES.get(kind.partition("_")[0], told) if kind != "value_error" else told


def _choices(fault: ErrorDetails, path: Sequence[str]) -> list[str]:
    """Return the words that may stand where the fault is."""
    if fault["type"] == "enum":
        return _CHOICE.findall(fault["ctx"]["expected"])
    if fault["type"].startswith("bool"):
        return []  # no word is near to a truth
    return choices_of(".".join(step for step in path if not step.isdecimal()))


def _meant(key: str, given: Any, choices: Sequence[str]) -> str:
    """Return the value that was meant, an empty text where nothing is near."""
    if key == "turns":
        if isinstance(given, int) and given > 0:
            return f"{given} last"
        choices = ("all", "first", "last", "since_last_user")
    return near_to(given, choices) if isinstance(given, str) else ""


def near_to(word: str, known: Sequence[str]) -> str:
    """Return the known word that is nearest to one, an empty text where none is near."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=_NEAR)), "")


def _keys(path: Sequence[str]) -> list[str]:
    section = SECTIONS.get(path[0], Config) if path else Config
    return sorted(section.model_fields)


def _line_of(file: str, key: str) -> int | None:
    lines = Path(file).read_text(encoding="utf-8").split("\n")
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*:")
    return next((number for number, line in enumerate(lines, 1) if pattern.match(line)), None)
