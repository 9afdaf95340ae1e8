"""What was understood of the sources, one line for each kind and shape of rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.show.tables import count, line

_MOST = 6  # files of a source that are named one by one


def show_sources(
    console: Console, sources: Iterable[Mapping[str, Any]], left_out: Iterable[Mapping[str, str]] = ()
) -> None:
    """Print the kind, the shape and the rows of each source, then what of its folder is not read."""
    for source in sources:
        line(console, f"{source['source']}: {', '.join(_said(source))}")
        show_not_read(console, source.get("not_read"), "  ")
    by_source = defaultdict[str, list[Mapping[str, str]]](list)
    for each in left_out:
        by_source[each["source"]].append(each)
    for name, files in by_source.items():
        line(console, f"{name}: left out: {_listed(files)}")


def _listed(files: Sequence[Mapping[str, str]]) -> str:
    """Name some files with the reason of each, or count them by reason."""
    if len(files) <= _MOST:
        return ", ".join(f"{each['file']} ({each['reason']})" for each in files)
    return ", ".join(
        f"{count(number, 'file')} ({reason})" for reason, number in Counter(each["reason"] for each in files).items()
    )


def show_not_read(console: Console, keys: Mapping[str, int] | None, indent: str = "") -> None:
    """Print the keys that nothing read, if there are any, and how many rows have each."""
    if keys:
        told = (f"{path} ({count(rows, 'row')})" for path, rows in keys.items())
        line(console, f"{indent}not read: {', '.join(told)}", "yellow")


def _said(source: Mapping[str, Any]) -> Iterable[str]:
    if len(source["files"]) > 1:
        yield count(len(source["files"]), "file")
    yield source["kind"] + (f", under {source['under']}" if source.get("under") else "")
    if source.get("splits"):
        yield f"split {', '.join(source['splits'])}"
    yield "each row tells its shape" if source["format"] == "auto" else f"shape {source['format']}"
    for name in ("columns", "roles"):
        if source[name]:
            yield f"{name} {', '.join(f'{ours}={theirs}' for ours, theirs in source[name].items())}"
    yield count(source["rows"], "row") + (" (the first)" if source["rows"] == source["max_rows"] else "")
    if source["weight"] != 1:
        yield f"weight {source['weight']:g}: {source['rows_chosen']:,} of them used"
