"""``maskprep inspect`` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskprep.cli import options
from maskprep.cli.paging import show_paged
from maskprep.cli.running import console, errors_shown, print_json

if TYPE_CHECKING:
    from maskprep.examples.inputs import Inputs
    from maskprep.inspect.command import InspectReport, View
    from maskprep.inspect.compare import MaskComparison
    from maskprep.inspect.selection import Selection

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
    browse: Annotated[bool, typer.Option("--browse", help="Leaf through the rows, with keys and search.")] = False,  # noqa: FBT002
    tokenizer: options.Tokenizer = None,
    config: options.ConfigFile = None,
    chat_template: options.ChatTemplateOption = None,
    history: options.HistoryOption = None,
    prompt_mismatch: options.PromptMismatch = None,
    max_length: options.MaxLength = None,
    settings: options.Settings = None,
    as_json: options.JsonOption = False,  # noqa: FBT002
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
        from maskprep.inspect.command import is_output  # noqa: PLC0415 - heavy: --help does without
        from maskprep.inspect.selection import Selection  # noqa: PLC0415

        selection = Selection(**choice)
        asked = _Target(target, len(target) == 1 and is_output(target[0]), build_options, config, settings or [])
        _check(asked, selection, stats=stats, compare=compare, html=html)
        if browse:
            _check_browse(asked, stats=stats, html=html, as_json=as_json)
            _browse(asked, selection, compare, limit)
        elif stats:
            _show_statistics(target[0], as_json=as_json)
        elif compare is not None:
            comparison = _compared(asked, compare, limit)
            if html is not None:
                title = f"{comparison.first} against {comparison.second}"
                _write(html, title, comparison.shown, as_json=as_json)
            else:
                _show_comparison(comparison, as_json=as_json)
        elif html is not None:
            _write_page(asked, selection, html, as_json=as_json)
        else:
            report = _report(asked, selection)
            if as_json:
                print_json(report.facts())
            else:
                _show_rows(report, full=full, tokens=tokens, find=find)


@dataclass(frozen=True)
class _Target:
    """The thing to inspect: a finished build, or sources with the options of a build."""

    names: list[str]
    built: bool
    build_options: Mapping[str, Any]
    config: str | None
    settings: Sequence[str]

    def inputs(self) -> Inputs:
        from maskprep.sources import expand  # noqa: PLC0415

        expand(self.names)  # a source that is missing is reported before a tokenizer that is, and at once
        from maskprep.config import load  # noqa: PLC0415
        from maskprep.examples.inputs import look_at  # noqa: PLC0415

        return look_at(load(self.config, {**self.build_options, "sources": self.names}, self.settings))


def _check(target: _Target, selection: Selection, *, stats: bool, compare: str | None, html: str | None) -> None:
    """Refuse options that do not go together, before any file is read."""
    from maskprep.errors import UsageError  # noqa: PLC0415

    selection.check()
    given = [*target.build_options.values(), target.config, target.settings or None]
    if target.built and any(value is not None for value in given):
        raise UsageError("build options go with a source, not with a finished build", "leave them out")
    if stats and not target.built:
        raise UsageError("--stats wants the folder of a finished build", "build it first")
    whole = [name for name, wanted in (("--stats", stats), ("--compare", compare is not None)) if wanted]
    others = [*selection.given, *(["--html"] if stats and html is not None else [])]
    if len(whole) > 1 or (whole and others):
        raise UsageError(f"{' and '.join([*whole, *others])} cannot go together", "ask for one at a time")
    if html is not None:
        from maskprep.show.html import check_page_file  # noqa: PLC0415

        check_page_file("--html", html)
    if compare is not None and "-" in target.names:
        raise UsageError("--compare reads the source twice: - can be read once", "put the rows into a file")


def _report(target: _Target, selection: Selection) -> InspectReport:
    from maskprep.inspect.command import inspect_output, inspect_source  # noqa: PLC0415

    return inspect_output(target.names[0], selection) if target.built else inspect_source(target.inputs(), selection)


def _write_page(target: _Target, selection: Selection, html: str, *, as_json: bool) -> None:
    from maskprep.dataset.statistics import statistics  # noqa: PLC0415
    from maskprep.inspect.command import Output  # noqa: PLC0415

    chosen = selection if selection.given else replace(selection, rows=f":{_PAGE_ROWS}")
    if not target.built:
        from maskprep.inspect.source import source_views  # noqa: PLC0415

        inputs = target.inputs()
        _write(html, ", ".join(inputs.sources), source_views(inputs, chosen), as_json=as_json)
        return
    output = Output.open(target.names[0])
    told = {"statistics": statistics(output.data).facts(), "run": output.run_facts()}
    rejects: Iterator[View] = output.shown_rejects(_PAGE_REJECTS) if chosen.by_number else iter(())
    _write(html, target.names[0], chain(output.chosen(chosen), rejects), **told, as_json=as_json)


def _write(  # noqa: PLR0913 - what a page tells
    html: str,
    title: str,
    rows: Iterable[View],
    *,
    statistics: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    as_json: bool,
) -> None:
    from maskprep.show.page import write_page  # noqa: PLC0415
    from maskprep.show.tables import line  # noqa: PLC0415

    size = write_page(Path(html), f"{title} · maskprep inspect", rows, statistics, run)
    if as_json:
        print_json({"html": html, "bytes": size})
    else:
        line(console(), f"{html}: {size:,} bytes")


def _compared(target: _Target, other: str, limit: int) -> MaskComparison:
    from maskprep.inspect.against import build_against, check_other, source_against  # noqa: PLC0415

    check_other(other)
    if target.built:
        return build_against(target.names[0], other, limit)
    return source_against(target.names, target.inputs(), other, limit)


def _check_browse(target: _Target, *, stats: bool, html: str | None, as_json: bool) -> None:
    """Refuse to leaf through rows where there is no screen, no keyboard, or nothing that draws."""
    from maskprep.errors import UsageError  # noqa: PLC0415
    from maskprep.show.browse import check_terminal  # noqa: PLC0415

    others = [name for name, given in (("--stats", stats), ("--html", html is not None), ("--json", as_json)) if given]
    if others:
        raise UsageError(f"--browse and {others[0]} cannot go together", "ask for one at a time")
    if "-" in target.names:
        raise UsageError("--browse needs the keyboard, and - reads it", "put the rows into a file")
    check_terminal()


def _browse(target: _Target, selection: Selection, compare: str | None, limit: int) -> None:
    from maskprep.inspect.browsed import BrowsedBuild, BrowsedViews  # noqa: PLC0415
    from maskprep.inspect.output import Output  # noqa: PLC0415
    from maskprep.show.browse import browse  # noqa: PLC0415

    if compare is not None:
        comparison = _compared(target, compare, limit)
        browse(BrowsedViews(f"{comparison.first} against {comparison.second}", comparison.shown))
    elif target.built:
        browse(BrowsedBuild(Output.open(target.names[0]), selection))
    else:
        from maskprep.inspect.source import source_views  # noqa: PLC0415

        inputs = target.inputs()
        chosen = selection if selection.given else replace(selection, rows=f":{_PAGE_ROWS}")
        browse(BrowsedViews(", ".join(inputs.sources), tuple(source_views(inputs, chosen))))


def _show_comparison(comparison: MaskComparison, *, as_json: bool) -> None:
    from maskprep.show.compared import show_comparison  # noqa: PLC0415

    if as_json:
        print_json(comparison.facts())
    else:
        show_paged(lambda out: show_comparison(out, comparison))


def _show_rows(report: InspectReport, *, full: bool, tokens: bool, find: str | None) -> None:
    from maskprep.show.rows import show_rows  # noqa: PLC0415

    show_paged(lambda out: show_rows(out, report, full=full, table=tokens, find=find))


def _show_statistics(path: str, *, as_json: bool) -> None:
    from maskprep.dataset.open_build import open_build  # noqa: PLC0415
    from maskprep.dataset.statistics import statistics  # noqa: PLC0415
    from maskprep.show.statistics import show_statistics  # noqa: PLC0415

    measured = statistics(open_build(path))
    if as_json:
        print_json(measured.facts())
    else:
        show_paged(lambda out: show_statistics(out, measured))
