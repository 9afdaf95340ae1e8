"""What a page tells of the run that made a data set: sources, tokenizer, template, settings, versions, date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from maskprep.config import Config

_TOLD_APART = frozenset({"sources", "tokenizer.name", "output", "chat_template", "now"})  # or told elsewhere
_DIGITS = 12  # of the template's digest, as many as tell templates apart


def run_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page tells of the run that a manifest describes, as JSON types.

    Where the data set lies is left out: it may be moved, and the same build is the same bytes everywhere.

    Raises:
        KeyError, TypeError, AttributeError: it is no manifest.
    """
    config = manifest["config"]
    return {
        "sources": [str(source["source"]) for source in manifest["sources"]],
        "tokenizer": str(config["tokenizer"]["name"]),
        "template": str(config["chat_template"] or "the tokenizer's own"),
        "template_digest": str(manifest["fingerprint_of"]["template"])[:_DIGITS],
        "settings": {key: value for key, value in _changed(Config, config, "") if key not in _TOLD_APART},
        "versions": {str(name): str(version) for name, version in manifest["versions"].items()},
        "date": str(manifest["now"]),
    }


def _changed(model: type[BaseModel], values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the settings that are not as they are by default, nested ones by their dotted names."""
    for name, field in model.model_fields.items():
        if name not in values:
            continue
        value, key = values[name], f"{prefix}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(value, Mapping):
            yield from _changed(inner, value, f"{key}.")
        elif field.is_required() or value != _plain(field.get_default(call_default_factory=True)):
            yield key, value


def _plain(value: Any) -> Any:
    """Return a default as a manifest has it, in JSON types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_plain(item) for item in value]
    return value
