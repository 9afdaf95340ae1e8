"""The pages of the documentation that are made from the code: commands, configuration, codes. A hook of MkDocs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_PRECEDENCE = """A YAML file for `--config`. Options on the command line win over `--set key.path=value`, which wins
over the file, which wins over the defaults here. `maskprep config KEY` explains one key; an unknown key is an error."""
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> dict[str, str]:
    """Return the text of each page, by its name."""
    return {"commands.md": commands(), "configuration.md": configuration(), "codes.md": codes()}


def commands() -> str:
    """Return the page of the commands, from their own help."""
    import click  # noqa: PLC0415 - what MkDocs itself needs
    from typer.main import get_command  # noqa: PLC0415

    from maskprep.cli import app  # noqa: PLC0415

    group = get_command(app)
    parts = ["# Commands", "Results go to standard output, progress and messages to standard error.", ""]
    parts += ["Exit codes: 0 done · 1 the data or a check failed · 2 usage or configuration · 130 interrupted.", ""]
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
        help_text = command.get_help(click.Context(command, info_name=f"maskprep {name}", max_content_width=100))
        parts += [f"## {name}", "", "```text", help_text, "```", ""]
    return "\n".join(parts)


def configuration() -> str:
    """Return the page of the configuration, a section for each key."""
    from maskprep.config.key_help import keys  # noqa: PLC0415
    from maskprep.recommend.commented import example_of  # noqa: PLC0415

    parts = ["# Configuration", "", _PRECEDENCE, ""]
    for key in keys():
        parts += [f"## `{key.name}`", "", f"{key.meaning[:1].upper()}{key.meaning[1:]}.", ""]
        choices = f" · one of {', '.join(f'`{choice}`' for choice in key.choices)}" if key.choices else ""
        parts += [f"{key.type} · default: {key.default}{choices}", "", "```yaml", example_of(key), "```", ""]
    return "\n".join(parts)


def codes() -> str:
    """Return the page of the codes, from ``codes.py``."""
    from maskprep.codes import DROPS, FINDINGS, REJECTS  # noqa: PLC0415

    parts = ["# Codes", "", "Codes are stable: count them, search for them.", ""]
    for title, said, table in (
        ("Rejected rows", "The row is rejected because", REJECTS),
        ("Warnings", "The row was used, and", FINDINGS),
        ("Dropped rows", "The row was left out because", DROPS),
    ):
        parts += [f"## {title}", ""]
        for code, about in table.items():
            parts += [f"### `{code}`" + " {: #" + f"{title.split()[0].lower()}-{code}" + " }", ""]
            parts += [f"{said} {about.meaning}.", "", f"**Fix:** {about.fix}.", ""]
    return "\n".join(parts)
