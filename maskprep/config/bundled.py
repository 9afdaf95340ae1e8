"""The configurations that come with the package, by name: ``maskprep build --config quickstart``.

They name the bundled sample by paths relative to the checkout; an installed package has both in ``maskprep/bundled``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]


def bundled_file(name: str) -> Path | None:
    """Return the file of a bundled configuration, None where none has that name, or a file of the user's has it."""
    if Path(name).exists() or not name.isidentifier():
        return None
    file = _root() / "configs" / f"{name}.yaml"
    return file if file.is_file() else None


def located(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a bundled configuration with its sources and its tokenizer where they are."""
    root = _root()
    return {
        **values,
        "sources": [str(root / source) for source in values["sources"]],
        "tokenizer": str(root / values["tokenizer"]),
    }


def names() -> list[str]:
    """Return the names of the bundled configurations."""
    return sorted(file.stem for file in (_root() / "configs").glob("*.yaml"))


def _root() -> Path:
    """Return the folder that holds ``configs`` and ``sample_data``: the package's own, or that of the checkout."""
    own = _PACKAGE / "bundled"
    return own if own.is_dir() else _PACKAGE.parent
