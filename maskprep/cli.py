"""The command line: parse, call, show, exit code. Nothing is decided here."""

from __future__ import annotations

import json
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer

from maskprep import __version__
from maskprep.errors import BuildError, MaskprepError

_DATA, _USAGE, _INTERRUPTED = 1, 2, 130
_PIPED_WIDTH = 120  # columns, where no terminal says how many it has

app = typer.Typer(
    help="Conversations in, token ids and proved loss masks out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still gets the report
    app()


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


@app.command()
def build(  # noqa: PLR0913, PLR0917 - the options of the command
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE…", help="JSONL files, .gz or .zst, globs, or - for stdin.")
    ] = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="DIR_OR_ID", help="Folder or hub id of a tokenizer.")] = None,
    output: Annotated[str | None, typer.Option(metavar="OUT", help="Folder to write the data set to.")] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="YAML file with any of these settings.")] = None,
    chat_template: Annotated[
        str | None,
        typer.Option(metavar="FILE_OR_NAME", help="Jinja file, or the name of one of the tokenizer's templates."),
    ] = None,
    history: Annotated[
        str | None, typer.Option(metavar="split|mask|rendered", help="Where the template rewrites earlier turns.")
    ] = None,
    prompt_mismatch: Annotated[
        str | None,
        typer.Option(metavar="reject|graft|train", help="Where the generation prompt does not fit the data."),
    ] = None,
    max_length: Annotated[int | None, typer.Option(metavar="N", help="Reject rows with longer sequences.")] = None,
    max_rejects: Annotated[
        float | None, typer.Option(metavar="FRACTION", help="Fail when more of the rows are rejected (0.01).")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any setting; may be repeated.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what a former build wrote to OUT.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Build a data set: conversations in, Arrow shards with proved masks out."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice concerns its own callers
    given = {
        "sources": sources or None,
        "tokenizer": tokenizer,
        "output": output,
        "chat_template": chat_template,
        "history": history,
        "prompt_mismatch": prompt_mismatch,
        "max_length": max_length,
        "max_rejects": max_rejects,
    }
    try:
        report = _build(config, given, settings or [], overwrite=overwrite)
    except MaskprepError as error:
        _fail(error, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("maskprep: interrupted; nothing was committed\n")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        sys.stdout.write(json.dumps(report.facts()) + "\n")
        return
    from maskprep.show.terminal import show_build  # noqa: PLC0415 - wanted only now

    show_build(_console(), report)


def _build(config: str | None, given: dict[str, Any], settings: list[str], *, overwrite: bool) -> Any:
    from maskprep.commands.build import build as run  # noqa: PLC0415 - heavy: --help does without
    from maskprep.config import load  # noqa: PLC0415
    from maskprep.show.progress import BuildProgress  # noqa: PLC0415

    loaded = load(config, given, settings)
    with BuildProgress(_console(stderr=True)) as progress:
        return run(loaded, progress, overwrite=overwrite)


def _fail(error: MaskprepError, *, as_json: bool) -> NoReturn:
    from maskprep.show.terminal import show_error  # noqa: PLC0415 - as above

    if as_json:
        facts = {"error": error.message, "hint": error.hint, **getattr(error, "facts", {})}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        show_error(_console(stderr=True), error)
    raise typer.Exit(_DATA if isinstance(error, BuildError) else _USAGE)


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console  # noqa: PLC0415 - as above

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)
