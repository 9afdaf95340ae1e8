"""``maskprep verify`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.running import console, errors_shown, print_json
from maskprep.errors import UsageError

_FAILED = 1


def verify(  # noqa: PLR0913, PLR0917 - the options of the command
    path: Annotated[str, typer.Argument(metavar="OUT", help="A build's folder.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="DIR_OR_ID", help="A causal model: folder, hub id or GGUF file (a small random one)."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps", help="What the model runs on.")] = "auto",
    rows: Annotated[
        str | None, typer.Option(metavar="N|all", help="Rows to rebuild and to run through the model (200).")
    ] = None,
    learn: Annotated[int, typer.Option(metavar="N", help="Training steps of a trial on a few rows.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="For the sample of rows and the random model.")] = 0,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="An inference server: does it feed its model what was trained?")
    ] = None,
    served_model: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name at the server.")] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a page with the plots.")] = None,
    as_json: options.JsonOption = False,  # noqa: FBT002 - typer's way
) -> None:
    """Prove that the loss a trainer will compute on a build is the loss that is meant."""
    with errors_shown(as_json=as_json):
        from pathlib import Path  # noqa: PLC0415 - heavy: --help does without

        from maskprep.show.progress import ProgressBar  # noqa: PLC0415
        from maskprep.show.verify import show_verification  # noqa: PLC0415
        from maskprep.show.verify_page import write_verify_page  # noqa: PLC0415
        from maskprep.verify.command import verify as run  # noqa: PLC0415
        from maskprep.verify.options import VerifyOptions  # noqa: PLC0415

        if html is not None and (Path(html).is_dir() or not Path(html).parent.is_dir()):
            raise UsageError(f"--html {html}: no file can be written there", "give a file name in a folder that exists")
        with ProgressBar(console(stderr=True), "verifying") as progress:
            report = run(VerifyOptions(path, model, device, rows, learn, seed, server, served_model), progress)
        if html is not None:
            write_verify_page(Path(html), report)
        if as_json:
            print_json(report.facts())
        else:
            show_verification(console(), report, html)
        if not report.passed:
            raise typer.Exit(_FAILED)
