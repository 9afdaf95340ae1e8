"""``maskprep judge`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.paging import show_paged
from maskprep.cli.running import console, errors_shown, print_json
from maskprep.errors import UsageError

_WRONG = 1


def judge(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Tokenized rows of any tool: a folder, Parquet, Arrow or JSONL file.")
    ],
    tokenizer: options.Tokenizer = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="The conversations that it was made of; may be repeated.")
    ] = None,
    config: options.ConfigFile = None,
    chat_template: options.ChatTemplateOption = None,
    rows: Annotated[str, typer.Option(metavar="N|all", help="How many rows of DATA to read.")] = "1000",
    examples: Annotated[int, typer.Option(metavar="K", min=0, help="Faulty documents to show.")] = 3,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a page with the faulty documents.")] = None,
    settings: options.Settings = None,
    as_json: options.JsonOption = False,  # noqa: FBT002 - typer's way
) -> None:
    """Hold another tool's tokenized rows against the law: is what they train what the model has to write?"""
    given = {"tokenizer": tokenizer, "sources": source or None, "chat_template": chat_template}
    with errors_shown(as_json=as_json):
        from pathlib import Path  # noqa: PLC0415 - heavy: --help does without

        from maskprep.config import load  # noqa: PLC0415
        from maskprep.examples.inputs import look_at  # noqa: PLC0415
        from maskprep.judge.command import judge as run  # noqa: PLC0415
        from maskprep.judge.command import wanted_rows  # noqa: PLC0415
        from maskprep.show.judge import show_judgement  # noqa: PLC0415
        from maskprep.show.page import write_page  # noqa: PLC0415
        from maskprep.show.progress import ProgressBar  # noqa: PLC0415

        if html is not None and (Path(html).is_dir() or not Path(html).parent.is_dir()):
            raise UsageError(f"--html {html}: no file can be written there", "give a file name in a folder that exists")
        most = wanted_rows(rows)
        # A configuration has sources; without any, standard input stands in, which is not read then.
        loaded = load(config, given, settings or [], base={"sources": ["-"]})
        inputs = look_at(loaded)
        named = any(each.path != "-" for each in loaded.sources)
        with ProgressBar(console(stderr=True), "judging") as progress:
            report = run(data, inputs, progress, source=named, rows=most, examples=examples)
        if html is not None:
            write_page(Path(html), f"maskprep judge {data}", report.examples, None)
        if as_json:
            print_json(report.facts())
        else:
            show_paged(lambda out: show_judgement(out, report))
        if report.wrong:
            raise typer.Exit(_WRONG)
