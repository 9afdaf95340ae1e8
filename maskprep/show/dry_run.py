"""What a build would do, on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from maskprep.build.dry_run import DryRun
from maskprep.plural import count
from maskprep.show.figures import show_noticed
from maskprep.show.history_costs import show_history_costs
from maskprep.show.styles import BAD, GOOD, HEADING, WARNING
from maskprep.show.tables import line, percent


def show_dry_run(console: Console, found: DryRun) -> None:
    """Print what a build would read and set, what its first rows would become, and whether it would stop."""
    line(console, "would read:", HEADING)
    for source in found.sources:
        line(console, f"  {source['source']}: {', '.join(_said(source))}")
    line(console, "would set:", HEADING)
    for key, value in found.settings.items():
        line(console, f"  {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    line(console, "  everything else as it is by default")
    tally = found.tally
    if found.costs is not None and found.costs.rows:
        line(console, "what each history would make of the first rows:", HEADING)
        show_history_costs(console, found.costs.facts())
    facts = tally.facts()
    show_noticed(console, "rejected rows", facts["rejects"])
    show_noticed(console, "warnings about rows that would be used", facts["findings"])
    line(
        console,
        f"of the first {count(tally.rows, 'row')}, {tally.used:,} would be used and {tally.rejected:,} rejected: "
        f"{count(tally.sequences, 'sequence')}, {count(tally.tokens, 'token')}, {tally.trained:,} trained "
        f"({percent(tally.trained, tally.tokens)})",
    )
    if found.resumes:
        line(console, " there is an unfinished build: it would be gone on with", WARNING, label=f"{found.output}:")
    if found.stops:
        line(console, f" it would stop: {found.stops}", BAD, label="maskprep build:")
    else:
        where = found.output if found.output is not None else "nowhere yet: give --output"
        line(console, f" it would go, to {where}", GOOD, label="maskprep build:")
    line(console, "nothing was written")


def _said(source: Mapping[str, Any]) -> Iterator[str]:
    if len(source["files"]) > 1:
        yield count(len(source["files"]), "file")
    yield source["kind"]
    yield "each row tells its format" if source["format"] == "auto" else f"format {source['format']}"
    if source["bytes"] is not None:
        yield count(source["bytes"], "byte")
    if source["rows"] is not None:
        yield f"{'' if source['counted'] else 'about '}{count(source['rows'], 'row')}"
    if source["max_rows"] is not None:
        yield f"the first {count(source['max_rows'], 'row')}"
