"""The card of a data set: what the YAML in front of its README.md says of configurations and of their files.

    ---
    configs:
    - config_name: default
      data_files:
      - {split: train, path: data/train-*}
      - {split: test, path: data/test-*}
    ---

A card is a stranger's text: what is not of this plain form is passed over, and the names of the files decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from maskprep.sources.globs import matches

CARD = "README.md"
MOST = 1 << 20
"""Bytes of a card that are read."""

_FENCE = "---"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to load a data set: globs of files, each with its split, in the order of the card."""

    name: str
    files: tuple[tuple[str, str], ...]
    default: bool

    def split_of(self, name: str) -> str | None:
        """Return the split that a file belongs to, None where the card does not name it."""
        steps = name.split("/")
        return next((split for split, glob in self.files if matches(_steps(glob), steps)), None)


def configurations(card: str) -> list[Configuration]:
    """Return the configurations of a card that name their files; none where one of them cannot be followed."""
    values = _front(card).get("configs")
    if not isinstance(values, list):
        return []
    found = [_read(value) for value in values]
    return [each for each in found if each is not None] if all(found) else []


def has_front(card: str) -> bool:
    """Tell whether a README is the card of a data set, and not just any."""
    return _plain(card).startswith(f"{_FENCE}\n")


def _front(card: str) -> Mapping[str, Any]:
    text, fence, _ = _plain(card).removeprefix(f"{_FENCE}\n").partition(f"\n{_FENCE}")
    try:
        values = yaml.load(text, _LOADER) if fence and has_front(card) else None  # noqa: S506 - one of the safe ones
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _plain(card: str) -> str:
    return card.removeprefix("\ufeff").replace("\r\n", "\n")


def _read(value: object) -> Configuration | None:
    if not isinstance(value, dict):
        return None
    files = tuple(_files(value.get("data_files")))
    name = str(value.get("config_name", "default"))
    plain = files and all(split and _is_plain(glob) for split, glob in files)
    return Configuration(name, files, value.get("default") is True or name == "default") if plain else None


def _files(value: object) -> Iterator[tuple[str, str]]:
    """Yield the globs of ``data_files`` with their splits; what is no such thing has no split."""
    if isinstance(value, str):
        yield "train", value
    elif isinstance(value, dict):
        for split, paths in value.items():
            yield from ((str(split), path) for path in _paths(paths))
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield from ((str(each.get("split", "train")), path) for path in _paths(each.get("path")))
            else:
                yield "train" if isinstance(each, str) else "", str(each)


def _paths(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value] if isinstance(value, list) else [""]


def _is_plain(glob: str) -> bool:
    """Tell whether a glob stays within the folder, and has no other signs than ours."""
    return (
        bool(glob) and not glob.startswith("/") and not {"..", ""} & set(_steps(glob)) and not set("{}:\\") & set(glob)
    )


def _steps(glob: str) -> list[str]:
    return glob.removeprefix("./").split("/")
