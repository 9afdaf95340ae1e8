"""The command line: parse, call, show, exit code. Nothing is decided here."""

from __future__ import annotations

import gc
import os
import signal
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from maskprep import __version__
from maskprep.cli.build import build
from maskprep.cli.config import config
from maskprep.cli.examples import epilog, first_screen
from maskprep.cli.export import export
from maskprep.cli.init import init
from maskprep.cli.inspect import inspect
from maskprep.cli.judge import judge
from maskprep.cli.probe import probe
from maskprep.cli.push import push
from maskprep.cli.running import Words
from maskprep.cli.settings import settings
from maskprep.cli.verify import verify
from maskprep.light_imports import slow_collector, spare_torch

app = typer.Typer(
    name="maskprep",
    cls=Words,
    help="Conversations in, token ids and proved loss masks out.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _command in (build, config, export, init, inspect, judge, probe, push, settings, verify):
    app.command(epilog=epilog(_command.__name__))(_command)


def main() -> None:
    """Run the command line."""
    slow_collector()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some in every package there is
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still gets the report
    if sys.argv[1:2] != ["verify"]:
        spare_torch()
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # of the parser's own words, which it calls an error
            from maskprep.show.console import cut_short  # noqa: PLC0415 - wanted only here

            cut_short()
        raise
    finally:
        # All is said. What still runs in the background needs a moment to end, and would answer with a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()  # nor need the collector look at all modules once more


def _version(wanted: bool | None) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"maskprep {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback has seen it
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = None,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(first_screen(__version__))
