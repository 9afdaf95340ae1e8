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
from maskprep.cli.export import export
from maskprep.cli.inspect import inspect
from maskprep.cli.judge import judge
from maskprep.cli.probe import probe
from maskprep.cli.push import push
from maskprep.cli.running import Words
from maskprep.cli.verify import verify
from maskprep.light_imports import slow_collector, spare_torch

app = typer.Typer(
    cls=Words,
    help="Conversations in, token ids and proved loss masks out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(build)
app.command()(export)
app.command()(inspect)
app.command()(judge)
app.command()(probe)
app.command()(push)
app.command()(verify)


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
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = None,
) -> None:
    pass
