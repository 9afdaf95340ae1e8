"""``maskprep probe`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.paging import show_paged
from maskprep.cli.running import errors_shown, print_json


def probe(  # noqa: PLR0913, PLR0917 - the options of the command
    tokenizer: Annotated[str, typer.Argument(metavar="TOKENIZER", help="Folder, hub id or GGUF file.")],
    sources: options.Sources = None,
    config: options.ConfigFile = None,
    chat_template: options.ChatTemplateOption = None,
    history: options.HistoryOption = None,
    prompt_mismatch: options.PromptMismatch = None,
    max_length: options.MaxLength = None,
    settings: options.Settings = None,
    facts: Annotated[bool, typer.Option("--facts", help="Tell every fact in full.")] = False,  # noqa: FBT002 - typer's way
    write: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the recommended configuration to a new file.")
    ] = None,
    as_json: options.JsonOption = False,  # noqa: FBT002 - typer's way
) -> None:
    """See what a chat template can train, found by running it, and a configuration that was tried on your rows."""
    given = {
        "tokenizer": tokenizer,
        "sources": sources or None,
        "chat_template": chat_template,
        "history": history,
        "prompt_mismatch": prompt_mismatch,
        "max_length": max_length,
    }
    with errors_shown(as_json=as_json):
        from maskprep.config import load  # noqa: PLC0415
        from maskprep.examples.inputs import look_at  # noqa: PLC0415 - heavy: --help does without
        from maskprep.probe.command import probe as run  # noqa: PLC0415
        from maskprep.recommend.configuration import write_new  # noqa: PLC0415
        from maskprep.show.probe import show_probe  # noqa: PLC0415

        # A configuration has sources; without any, standard input stands in, which is not read then.
        loaded = load(config, given, settings or [], base={"sources": ["-"]})
        report = run(look_at(loaded), rows=bool(sources))
        if write is not None:
            write_new(write, report.commented)
        if as_json:
            print_json(report.facts())
        else:
            show_paged(lambda out: show_probe(out, report, full=facts))
