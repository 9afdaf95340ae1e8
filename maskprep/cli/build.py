"""``maskprep build`` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskprep.cli import completion, options
from maskprep.cli.running import console, errors_shown, print_json

if TYPE_CHECKING:
    from maskprep.config import Config
    from maskprep.inspect.command import View

_STOPS = 1


def build(  # noqa: PLR0913, PLR0917 - the options of the command
    sources: options.Sources = None,
    tokenizer: options.Tokenizer = None,
    output: options.Output = None,
    config: options.ConfigFile = None,
    chat_template: options.ChatTemplateOption = None,
    history: options.HistoryOption = None,
    prompt_mismatch: options.PromptMismatch = None,
    max_length: options.MaxLength = None,
    profile: options.Profile = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Read the first N rows of each source, and no more.")
    ] = None,
    max_rejects: Annotated[
        float | None, typer.Option(metavar="FRACTION", help="Fail when more of the rows are rejected (0.01).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that work; 0: none but this one. Default: by the size.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="local|ray", autocompletion=completion.engine, help="Where they work.")
    ] = None,
    settings: options.Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a former build in OUT, or its rest.")] = False,  # noqa: FBT002 - typer's way
    dry_run: options.DryRun = False,  # noqa: FBT002
    as_json: options.JsonOption = False,  # noqa: FBT002
) -> None:
    """Build a data set: conversations in, Arrow shards with proved masks out."""
    given = {
        "sources": sources or None,
        "tokenizer": tokenizer,
        "output": output,
        "chat_template": chat_template,
        "history": history,
        "prompt_mismatch": prompt_mismatch,
        "max_length": max_length,
        "profile": profile,
        "max_rejects": max_rejects,
        "workers": workers,
        "engine": engine,
    }
    with errors_shown(as_json=as_json):
        from maskprep.config.load import limited, load  # noqa: PLC0415 - heavy: --help does without
        from maskprep.show.progress import ProgressBar  # noqa: PLC0415

        loaded = load(config, given, settings or [])
        if limit is not None:
            loaded = limited(loaded, limit)
        if dry_run:
            _try(loaded, overwrite=overwrite, as_json=as_json)
            return
        from maskprep.build.command import build as run  # noqa: PLC0415

        with ProgressBar(console(stderr=True), "building", in_bytes=True) as progress:
            report = run(loaded, progress, _write_page, overwrite=overwrite)
        if as_json:
            print_json(report.facts())
        else:
            from maskprep.show.terminal import show_build  # noqa: PLC0415 - when there is a report

            show_build(console(), report)


def _try(config: Config, *, overwrite: bool, as_json: bool) -> None:
    """Show what a build would do."""
    from maskprep.build.dry_run import dry_run  # noqa: PLC0415 - heavy, as above
    from maskprep.show.dry_run import show_dry_run  # noqa: PLC0415
    from maskprep.show.progress import ProgressBar  # noqa: PLC0415

    with ProgressBar(console(stderr=True), "dry run") as progress:
        found = dry_run(config, progress, overwrite=overwrite)
    if as_json:
        print_json(found.facts())
    else:
        show_dry_run(console(), found)
    if found.stops:
        raise typer.Exit(_STOPS)


def _write_page(
    path: Path,
    title: str,
    rows: Iterable[View],
    statistics: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
) -> object:
    """Write the page of a build, when it has come to that: no row waits for what writes it."""
    from maskprep.show.page import write_page  # noqa: PLC0415

    return write_page(path, title, rows, statistics, run)
