"""``maskprep build --dry-run``: what a build would do, found on the first rows of each source; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskprep.build.destination import destination
from maskprep.build.ignored import made_in
from maskprep.config import Config
from maskprep.config.load import limited
from maskprep.dataset.arrange import layout_before, refuse_layout
from maskprep.examples.advice import Adviser
from maskprep.examples.history_cost import SAMPLE_ROWS, Costs, measure
from maskprep.examples.inputs import look_at
from maskprep.examples.tally import Tally
from maskprep.examples.tree_models import refuse_model
from maskprep.formats import Line
from maskprep.policy import History
from maskprep.progress import Progress
from maskprep.sources import Kind, total_bytes
from maskprep.sources.feed import Feed
from maskprep.sources.streams import is_plain
from maskprep.storage import is_remote

_PEEKED = 8  # files of a source that are opened to see whether they are compressed


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a build would do.

    Args:
        output: where to, None where that was not said; ``resumes``: it would go on with an unfinished build there.
        sources: each with its files, kind, format, size in bytes and rows, None where nobody knows; ``counted``: the
            rows are no estimate.
        settings: those that were made, by their keys.
        tally: the counts of the first rows.
        costs: what each history would make of them, None where one was chosen.
        stops: why the build would stop, an empty text where it would not.
    """

    output: str | None
    resumes: bool
    sources: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    tally: Tally
    costs: Costs | None
    stops: str

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "dry_run": True,
            "output": self.output,
            "resumes": self.resumes,
            "sources": list(self.sources),
            "settings": dict(self.settings),
            "first_rows": self.tally.facts(),
            "history_costs": self.costs.facts() if self.costs else None,
            "stops": self.stops,
        }


def dry_run(config: Config, progress: Progress, *, overwrite: bool = False) -> DryRun:
    """Return what a build would do, and write nothing.

    Args:
        config: what would be built.
        progress: shows how far it has come.
        overwrite: whether the build would replace a former one.

    Raises:
        UsageError: the build could not be begun.
    """
    refuse_layout(config, layout_before(config))
    refuse_model(config)
    resumes = _resumes(config, overwrite=overwrite)
    most = -(-SAMPLE_ROWS // len(config.sources))
    sample = limited(config, most)
    feed = Feed(sample)
    inputs = look_at(sample, feed)
    lines = list(feed.lines())
    progress.start("trying the first rows", len(lines))
    tally, adviser = Tally(), Adviser(inputs.preparer)
    for rows in inputs.preparer.prepared(lines):
        for row in rows:
            if row.error is not None:
                tally.reject(row.line.where, adviser.advise(row.error, row.line.where, row.conversation))
            elif row.made is not None:
                tally.use(row.line.where, row.made)
        progress.advance(len(rows))
    costs = measure(lines, inputs.preparer) if config.history is None else None
    made = {key: value for key, value in _flat(config.described()).items() if key in made_in(config)}
    return DryRun(
        output=config.output,
        resumes=resumes,
        sources=_sources(config, feed, lines, most),
        settings={key: value for key, value in made.items() if key not in {"sources", "output"}},
        tally=tally,
        costs=costs,
        stops=_stops(config, tally, costs),
    )


def _resumes(config: Config, *, overwrite: bool) -> bool:
    """Refuse an output that must not be written to, and tell whether it holds an unfinished build to go on with."""
    if config.output is None:
        return False
    with destination(config) as goal:
        if is_remote(config.output):
            return goal.check(overwrite=overwrite)
        return goal.output.check(overwrite=overwrite, resume=True)  # goal's own would tidy up


def _sources(config: Config, feed: Feed, lines: Sequence[Line], most: int) -> list[dict[str, Any]]:
    """Return what is known of each source, one entry for all its files of the same kind and format."""
    entries: dict[Any, dict[str, Any]] = {}
    tried = {line.where.file: line.reading for line in lines}
    for file in feed.files:
        reading = feed.readings.get(file) or tried.get(file.name)
        kind, form = str(feed.kinds.get(file, "")), str(reading.format) if reading else ""
        entry = entries.setdefault(
            (file.source, kind, form),
            {
                "source": config.sources[file.source].path,
                "kind": kind,
                "format": form,
                "max_rows": config.sources[file.source].max_rows,
                "bytes": 0,
                "files": [],
            },
        )
        size = total_bytes(file.name)
        entry["bytes"] = None if size is None or entry["bytes"] is None else entry["bytes"] + size
        entry["files"].append(file.name)
    for entry in entries.values():
        entry["rows"], entry["counted"] = _rows(
            entry, [line for line in lines if line.where.file in entry["files"]], most
        )
    return list(entries.values())


def _rows(entry: Mapping[str, Any], tried: Sequence[Line], most: int) -> tuple[int | None, bool]:
    """Return how many rows a source has, and whether they were counted; of more than were tried, by their size."""
    if len(tried) < most:
        return len(tried), True
    sizes = sum(len(line.data) + 1 for line in tried)
    plain = entry["kind"] == Kind.JSONL and all(map(is_plain, entry["files"][:_PEEKED]))
    estimate = round(entry["bytes"] / sizes * len(tried)) if plain and entry["bytes"] else None
    if entry["max_rows"] is not None and (estimate is None or estimate > entry["max_rows"]):
        return entry["max_rows"], False
    return estimate, False


def _flat(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their keys, those of sections with a dot."""
    flat = dict(described)
    for section in ("train", "tokenizer", "packing"):
        if isinstance(described[section], Mapping):
            del flat[section]
            flat |= {f"{section}.{key}": value for key, value in described[section].items()}
    return flat


def _stops(config: Config, tally: Tally, costs: Costs | None) -> str:
    """Return why a build would stop at these rows, an empty text where it would not."""
    if not tally.rows:
        return "there is no row"
    if tally.reject_fraction > config.max_rejects:
        return (
            f"of the first {tally.rows:,} rows, {tally.reject_fraction:.1%} are rejected: more than max_rejects, "
            f"{config.max_rejects:.1%}"
        )
    if costs is not None and costs.times(History.SPLIT) > config.max_expansion:
        return (
            f"history: split makes {costs.times(History.SPLIT):.1f} times the tokens, more than max_expansion, "
            f"{config.max_expansion:g}: choose a --history"
        )
    return ""
