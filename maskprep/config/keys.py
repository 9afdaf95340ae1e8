"""The keys of the configuration by their dotted names, and the choices that each has."""

from __future__ import annotations

import typing
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from maskprep.config.model import Config
from maskprep.config.sections import SECTIONS


def keys() -> list[str]:
    """Return every key that ``--set`` takes; those of a section with its name and a dot in front."""
    own = [name for name in Config.model_fields if name not in SECTIONS or name == "packing"]
    inner = [f"{name}.{key}" for name, section in SECTIONS.items() if name != "sources" for key in section.model_fields]
    return sorted([*own, *inner])


def choices_of(key: str) -> list[str]:
    """Return the choices of a key, none where any value may stand, or where there is no such key."""
    section, dot, name = key.partition(".")
    model: type[BaseModel] | None = SECTIONS.get(section) if dot else Config
    field = model.model_fields.get(name if dot else section) if model is not None else None
    if field is None:
        return []
    return list(choices_of_type(field.annotation)) or (["true", "false"] if field.annotation is bool else [])


def choices_of_type(annotation: Any) -> tuple[str, ...]:
    """Return the values that a type allows, none where there is no list of them."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(map(str, annotation))
    return next((found for each in typing.get_args(annotation) if (found := choices_of_type(each))), ())
