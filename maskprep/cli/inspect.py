"""``maskprep inspect`` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from maskprep.cli import options
from maskprep.cli.running import console, errors_shown, print_json

_PAGE_ROWS = 500  # rows of a page for which none were chosen
_PAGE_REJECTS = 3  # rejected rows of each code


def inspect(  # noqa: PLR0913, PLR0917 - the options of the command
    target: Annotated[list[str], typer.Argument(metavar="OUT_OR_SOURCE", help="A build's folder, or source files.")],
    row: Annotated[int | None, typer.Option(metavar="N", help="Row N, from 0; negative: from the end.")] = None,
    rows: Annotated[str | None, typer.Option(metavar="A:B", help="Rows A to B-1.")] = None,
    random: Annotated[int | None, typer.Option(metavar="K", help="K rows at random.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="For --random.")] = 0,
    find: Annotated[str | None, typer.Option(metavar="TEXT", help="Rows whose text holds TEXT.")] = None,
    origin: Annotated[str | None, typer.Option(metavar="FILE:LINE", help="What became of one source row.")] = None,
    finding: Annotated[str | None, typer.Option(metavar="CODE", help="Rows with that finding or reject.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Show at most N rows of a search.")] = 20,
    tokens: Annotated[bool, typer.Option("--tokens", help="One line a token.")] = False,  # noqa: FBT002 - typer's way
    full: Annotated[bool, typer.Option("--full", help="Do not fold long masked stretches.")] = False,  # noqa: FBT002
    stats: Annotated[bool, typer.Option("--stats", help="What the data set is made of.")] = False,  # noqa: FBT002
    compare: Annotated[
        str | None, typer.Option(metavar="CONFIG_OR_OUT", help="Show tokens whose label differs there.")
    ] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a page to share.")] = None,
    tokenizer: options.Tokenizer = None,
    config: options.ConfigFile = None,
    chat_template: options.ChatTemplate = None,
    history: options.History = None,
    prompt_mismatch: options.PromptMismatch = None,
    max_length: options.MaxLength = None,
    settings: options.Settings = None,
    as_json: options.Json = False,  # noqa: FBT002
) -> None:
    """See what will be trained: rows of a build, or of a source as a build would make them."""
    build_options = {
        "tokenizer": tokenizer,
        "chat_template": chat_template,
        "history": history,
        "prompt_mismatch": prompt_mismatch,
        "max_length": max_length,
    }
    choice: dict[str, Any] = {"row": row, "rows": rows, "random": random, "seed": seed, "find": find}
    choice |= {"origin": origin, "finding": finding, "limit": limit}
    with errors_shown(as_json=as_json):
        from maskprep.commands.inspect import is_output  # noqa: PLC0415 - heavy: --help does without
        from maskprep.commands.selection import Selection  # noqa: PLC0415
        from maskprep.errors import UsageError  # noqa: PLC0415

        selection = Selection(**choice)
        built = len(target) == 1 and is_output(target[0])
        if built and (config or settings or any(build_options.values())):
            raise UsageError("build options go with a source, not with a finished build", "leave them out")
        if stats:
            if not built:
                raise UsageError("--stats wants the folder of a finished build", "build it first")
            _show_statistics(target[0], as_json=as_json)
            return
        if compare is not None:
            _show_comparison(_compared(target, compare, build_options, config, settings or [], limit), as_json=as_json)
            return
        if html is not None and built:
            _write_built(target[0], selection, html, as_json=as_json)
            return
        report = _report(target, selection, config, build_options, settings or [], built=built)
        if html is not None:
            _write(html, report.target, report.rows, None, as_json=as_json)
            return
        if as_json:
            print_json(report.facts())
        else:
            _show(report, full=full, tokens=tokens)


def _report(  # noqa: PLR0913 - target and options
    target: list[str],
    selection: Any,
    config: str | None,
    build_options: dict[str, Any],
    settings: list[str],
    *,
    built: bool,
) -> Any:
    from maskprep.commands.inputs import look_at  # noqa: PLC0415
    from maskprep.commands.inspect import inspect_output, inspect_source  # noqa: PLC0415
    from maskprep.config import load  # noqa: PLC0415

    if built:
        return inspect_output(target[0], selection)
    return inspect_source(look_at(load(config, {**build_options, "sources": target}, settings)), selection)


def _write_built(path: str, selection: Any, html: str, *, as_json: bool) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from maskprep.commands.inspect import Output  # noqa: PLC0415
    from maskprep.commands.selection import Selection  # noqa: PLC0415
    from maskprep.commands.statistics import statistics  # noqa: PLC0415

    selection.check()
    output = Output.open(path)
    first = selection == Selection(seed=selection.seed, limit=selection.limit)
    numbers = output.numbers(replace(selection, rows=f":{_PAGE_ROWS}") if first else selection)
    _write(html, path, _rows(output, numbers), statistics(output.data).facts(), as_json=as_json)


def _rows(output: Any, numbers: list[int]) -> Iterator[Any]:
    yield from map(output.view, numbers)
    yield from output.rejects(_PAGE_REJECTS)


def _write(html: str, title: str, rows: Iterable[Any], figures: Any, *, as_json: bool) -> None:
    from pathlib import Path  # noqa: PLC0415

    from maskprep.show.page import write_page  # noqa: PLC0415
    from maskprep.show.tables import line  # noqa: PLC0415

    size = write_page(Path(html), f"maskprep inspect {title}", rows, figures)
    if as_json:
        print_json({"html": html, "bytes": size})
    else:
        line(console(), f"{html}: {size:,} bytes")


def _compared(  # noqa: PLR0913, PLR0917 - target and options
    target: list[str], other: str, build_options: dict[str, Any], config: str | None, settings: list[str], limit: int
) -> Any:
    from maskprep.commands.compare import compare, prepared, stored  # noqa: PLC0415
    from maskprep.commands.inputs import look_at  # noqa: PLC0415
    from maskprep.commands.inspect import Output, is_output  # noqa: PLC0415
    from maskprep.commands.views import Viewer  # noqa: PLC0415
    from maskprep.config import load  # noqa: PLC0415

    name = ", ".join(target)
    if len(target) == 1 and is_output(target[0]):
        output = Output.open(target[0])
        first, viewer, base = stored(output), output.viewer, output.config
    else:
        loaded = load(config, {**build_options, "sources": target}, settings)
        inputs = look_at(loaded)
        first, viewer = prepared(inputs), Viewer(inputs.loaded, inputs.preparer.encoder)
        base = loaded.model_dump(mode="json")
    second = stored(Output.open(other)) if is_output(other) else prepared(look_at(load(other, {}, base=base)))
    return compare((name, first), (other, second), viewer, limit)


def _show_comparison(comparison: Any, *, as_json: bool) -> None:
    from maskprep.show.compared import show_comparison  # noqa: PLC0415

    if as_json:
        print_json(comparison.facts())
    else:
        show_comparison(console(), comparison)


def _show(report: Any, *, full: bool, tokens: bool) -> None:
    from maskprep.show.rows import show_rows  # noqa: PLC0415

    out = console()
    with out.capture() as captured:
        show_rows(out, report, full=full, table=tokens)
    text = captured.get()
    if out.is_terminal and text.count("\n") >= out.height:
        with out.pager(styles=True):
            show_rows(out, report, full=full, table=tokens)
    else:
        out.file.write(text)


def _show_statistics(path: str, *, as_json: bool) -> None:
    from maskprep.commands.statistics import statistics  # noqa: PLC0415
    from maskprep.shards.reader import StoredDataSet  # noqa: PLC0415
    from maskprep.show.statistics import show_statistics  # noqa: PLC0415

    measured = statistics(StoredDataSet(path))
    if as_json:
        print_json(measured.facts())
    else:
        show_statistics(console(), measured)
