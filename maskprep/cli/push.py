"""``maskprep push`` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import options
from maskprep.cli.running import console, errors_shown, print_json


def push(  # noqa: PLR0913, PLR0917 - the options of the command
    path: Annotated[str, typer.Argument(metavar="OUT", help="A build's folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="NAMESPACE/NAME on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Let everybody read a repository that is new.")] = False,  # noqa: FBT002 - typer's way
    rows: Annotated[bool, typer.Option("--rows", help="Upload what quotes the data, too: rejects, the page.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the card beside OUT, and upload nothing.")] = False,  # noqa: FBT002
    as_json: options.JsonOption = False,  # noqa: FBT002
) -> None:
    """Upload a build to the Hugging Face Hub, with a card made of its manifest."""
    with errors_shown(as_json=as_json):
        from maskprep.push.command import PushOptions  # noqa: PLC0415 - heavy: --help does without
        from maskprep.push.command import push as run  # noqa: PLC0415
        from maskprep.show.tables import count, line  # noqa: PLC0415

        report = run(PushOptions(path, repo, public, rows, dry_run))
        if as_json:
            print_json(report.facts())
            return
        out = console()
        if report.card_file is not None:
            line(out, f"{count(len(report.files), 'file')} would go to {repo}; the card: {report.card_file}")
            line(out, f"look at it, then: maskprep push {path} {repo}")
        else:
            line(out, f"{count(len(report.files), 'file')} and a card are at https://huggingface.co/datasets/{repo}")
            line(out, "next: say in its README.md under which license it may be used")
