"""``maskprep export`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.running import console, errors_shown, print_json


def export(  # noqa: PLR0913, PLR0917 - the options of the command
    path: Annotated[str, typer.Argument(metavar="OUT", help="A build's folder.")],
    profile: options.Profile = None,
    output: options.Output = None,
    settings: options.Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was written there before.")] = False,  # noqa: FBT002 - typer's way
    as_json: options.JsonOption = False,  # noqa: FBT002
) -> None:
    """Write a build anew for another trainer, or packed otherwise, without tokenizing."""
    with errors_shown(as_json=as_json):
        from maskprep.build.export import ExportOptions  # noqa: PLC0415 - heavy: --help does without
        from maskprep.build.export import export as run  # noqa: PLC0415
        from maskprep.show.page import write_page  # noqa: PLC0415
        from maskprep.show.progress import ProgressBar  # noqa: PLC0415
        from maskprep.show.terminal import show_export  # noqa: PLC0415

        asked = ExportOptions(path, output, profile, settings or [], overwrite)
        with ProgressBar(console(stderr=True), "exporting", in_bytes=True) as progress:
            report = run(asked, progress, write_page)
        if as_json:
            print_json(report.facts())
        else:
            show_export(console(), report, path)
