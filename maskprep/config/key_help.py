"""The keys of the configuration explained: type, default, meaning, example, choices."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from maskprep.config.keys import choices_of_type
from maskprep.config.meanings import MEANINGS
from maskprep.config.model import Config
from maskprep.config.sections import SECTIONS, Section
from maskprep.errors import UsageError
from maskprep.policy import TRAINABLE


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its dotted name, the type and the default in words, what it means, an example, and its choices."""

    name: str
    type: str
    default: str
    meaning: str
    example: str
    choices: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return the key as JSON types."""
        return asdict(self)


def keys() -> tuple[Key, ...]:
    """Return all keys, those of a section behind the section."""
    return tuple(_keys(Config, ""))


def key_named(name: str) -> Key:
    """Return a key by its dotted name.

    Raises:
        UsageError: there is none of that name.
    """
    known = {key.name: key for key in keys()}
    if name in known:
        return known[name]
    within = [other for other in known if other.rpartition(".")[2] == name]
    near = within or difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "`maskprep config` lists all of them"
    raise UsageError(f"there is no key {name!r}", hint)


def _keys(section: type[Section], prefix: str) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        meaning, example = MEANINGS[key]
        choices = _SOME.get(key) or choices_of_type(field.annotation)
        yield Key(key, _worded(field.annotation), _default(field), meaning, in_yaml(example), choices)
        if not prefix and name in SECTIONS:
            yield from _keys(SECTIONS[name], f"{name}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: it must be given"
    if field.default is None:
        return "none"
    if isinstance(field.default, BaseModel):
        return "those of its keys"
    return in_yaml(field.default if not isinstance(field.default, tuple) else [str(each) for each in field.default])


def in_yaml(value: Any) -> str:
    """Return a value of JSON types as YAML of one line."""
    plain = str(value) if isinstance(value, StrEnum) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _worded(annotation: Any) -> str:  # noqa: PLR0911 - one for each kind of type
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _worded(arguments[0])
    if origin in {Union, types.UnionType}:
        return ", or ".join(_worded(each) for each in arguments)
    if origin is tuple:
        return f"list, each: {_worded(arguments[0])}"
    if origin is Mapping:
        return f"mapping of text to: {_worded(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of its choices"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping of its keys"
    return _WORDS.get(annotation, "any value")


_SOME: Mapping[str, tuple[str, ...]] = {"train.parts": TRAINABLE}
"""The choices of keys that do not take all values of their type."""

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    datetime: "date and time",
    type(None): "none",
}
