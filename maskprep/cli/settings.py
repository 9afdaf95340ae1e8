"""``maskprep settings`` on the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.running import errors_shown, print_json


def settings(
    path: Annotated[str, typer.Argument(metavar="OUT", help="A build's folder.")],
    as_json: options.JsonOption = False,  # noqa: FBT002 - typer's way
) -> None:
    """Print what the trainer must be told about a build: a program, YAML or a command, ready to be put into a file."""
    with errors_shown(as_json=as_json):
        from maskprep.dataset.handover import handed_over, settings_text  # noqa: PLC0415 - heavy: --help does without
        from maskprep.dataset.open_build import damage_told, open_build  # noqa: PLC0415

        data = open_build(path)
        with damage_told(path):
            trainer = handed_over(data)
        if as_json:
            print_json(trainer)
        else:
            sys.stdout.write(settings_text(trainer))
