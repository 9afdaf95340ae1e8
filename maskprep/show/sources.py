"""What was understood of the sources, one line for each kind and shape of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from maskprep.show.tables import count, line


def show_sources(console: Console, sources: Iterable[Mapping[str, Any]]) -> None:
    """Print the kind, the shape and the rows of each source."""
    for source in sources:
        line(console, f"{source['source']}: {', '.join(_said(source))}")


def _said(source: Mapping[str, Any]) -> Iterable[str]:
    if len(source["files"]) > 1:
        yield count(len(source["files"]), "file")
    yield source["kind"] + (f", under {source['under']}" if source.get("under") else "")
    yield "each row tells its shape" if source["format"] == "auto" else f"shape {source['format']}"
    for name in ("columns", "roles"):
        if source[name]:
            yield f"{name} {', '.join(f'{ours}={theirs}' for ours, theirs in source[name].items())}"
    yield count(source["rows"], "row") + (" (the first)" if source["rows"] == source["max_rows"] else "")
    if source["weight"] != 1:
        yield f"weight {source['weight']:g}: {source['rows_chosen']:,} of them used"
