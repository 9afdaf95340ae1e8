"""``maskprep init`` on the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.running import console, errors_shown


def init(
    sources: options.Sources = None,
    tokenizer: options.Tokenizer = None,
    chat_template: options.ChatTemplateOption = None,
    settings: options.Settings = None,
    write: Annotated[
        str | None, typer.Option("--write", "-o", metavar="FILE", help="Write a new file; else to stdout.")
    ] = None,
) -> None:
    """Write a configuration for your data, every line explained, with the settings that were tried on it."""
    given = {"sources": sources or None, "tokenizer": tokenizer, "chat_template": chat_template}
    with errors_shown(as_json=False):
        from maskprep.config import load  # noqa: PLC0415 - heavy: --help does without
        from maskprep.recommend.configuration import STAND_IN, write_new  # noqa: PLC0415
        from maskprep.recommend.init import init as run  # noqa: PLC0415
        from maskprep.show.tables import line  # noqa: PLC0415

        both = bool(sources and tokenizer)
        text = run(load(None, given, settings or [], base={} if both else STAND_IN), rows=both)
        if write is None:
            sys.stdout.write(text)
            return
        write_new(write, text)
        line(console(stderr=True), f"written: {write}; look at it, then: maskprep build --config {write}")
