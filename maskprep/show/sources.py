"""What was read of each source, and what was left out, as text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.show.figures import show_not_read
from maskprep.show.tables import count, line

_MOST = 6  # files of a source that are named one by one


def show_sources(
    console: Console, sources: Iterable[Mapping[str, Any]], left_out: Iterable[Mapping[str, str]] = ()
) -> None:
    """Print the kind, the format and the rows of each source, then the files of its folder that are not read."""
    for source in sources:
        line(console, f"{source['source']}: {', '.join(_said(source))}")
        show_not_read(console, source.get("not_read"), "  ")
    by_source = defaultdict[str, list[Mapping[str, str]]](list)
    for each in left_out:
        by_source[each["source"]].append(each)
    for name, files in by_source.items():
        line(console, f"{name}: left out: {_listed(files)}")


def _listed(files: Sequence[Mapping[str, str]]) -> str:
    """Return some files with the reason of each, or how many there are for each reason."""
    if len(files) <= _MOST:
        return ", ".join(f"{each['file']} ({each['reason']})" for each in files)
    return ", ".join(
        f"{count(number, 'file')} ({reason})" for reason, number in Counter(each["reason"] for each in files).items()
    )


def _said(source: Mapping[str, Any]) -> Iterable[str]:
    if len(source["files"]) > 1:
        yield count(len(source["files"]), "file")
    yield source["kind"] + (f", under {source['under']}" if source.get("under") else "")
    if source.get("splits"):
        yield f"split {', '.join(source['splits'])}"
    yield "each row tells its format" if source["format"] == "auto" else f"format {source['format']}"
    for name in ("columns", "roles"):
        if source[name]:
            yield f"{name} {', '.join(f'{ours}={theirs}' for ours, theirs in source[name].items())}"
    yield count(source["rows"], "row") + (" (the first)" if source["rows"] == source["max_rows"] else "")
    if source["weight"] != 1:
        yield f"weight {source['weight']:g}: {source['rows_chosen']:,} of them used"
