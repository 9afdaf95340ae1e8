"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from maskprep.policy import History, Mismatch

Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCE…", help="Files, globs, folders, hf:OWNER/NAME, or - for stdin.")
]
Tokenizer = Annotated[str | None, typer.Option(metavar="DIR_OR_ID", help="Tokenizer: folder, hub id or GGUF file.")]
ConfigFile = Annotated[str | None, typer.Option(metavar="FILE", help="YAML file with any of these settings.")]
ChatTemplateOption = Annotated[
    str | None,
    typer.Option(metavar="FILE_OR_NAME", help="Jinja file, or the name of one of the tokenizer's templates."),
]
HistoryOption = Annotated[
    str | None, typer.Option(metavar="|".join(History), help="Where the template rewrites earlier turns.")
]
PromptMismatch = Annotated[
    str | None, typer.Option(metavar="|".join(Mismatch), help="Where the generation prompt does not fit the data.")
]
MaxLength = Annotated[int | None, typer.Option(metavar="N", help="Reject rows with longer sequences.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any setting; may be repeated.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
