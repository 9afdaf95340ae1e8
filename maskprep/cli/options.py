"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.cli import completion
from maskprep.policy import History, Mismatch, ProfileName

Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCE", help="Files, globs, folders, hf:OWNER/NAME, or - for stdin.")
]
Tokenizer = Annotated[str | None, typer.Option(metavar="DIR_OR_ID", help="Tokenizer: folder, hub id or GGUF file.")]
ConfigFile = Annotated[str | None, typer.Option(metavar="FILE", help="YAML file with any of these settings.")]
ChatTemplateOption = Annotated[
    str | None,
    typer.Option(metavar="FILE_OR_NAME", help="Jinja file, or the name of one of the tokenizer's templates."),
]
HistoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(History),
        autocompletion=completion.history,
        help="Where the template rewrites earlier turns.",
    ),
]
PromptMismatch = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(Mismatch),
        autocompletion=completion.prompt_mismatch,
        help="Where the generation prompt does not fit the data.",
    ),
]
MaxLength = Annotated[int | None, typer.Option(metavar="N", help="Reject rows with longer sequences.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        autocompletion=completion.setting,
        help="Any setting; may be repeated.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="P",
        autocompletion=completion.profile,
        help=f"The trainer to write for: {', '.join(ProfileName)}.",
    ),
]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="OUT", help="Folder to write the data set to.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done, and try the first rows; write nothing. Exit code 1: it would stop."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
