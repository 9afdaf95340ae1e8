"""The pages of the documentation that are made from the code: commands, configuration, codes. A hook of MkDocs."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
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
    """Return the page of the configuration, from its model."""
    from maskprep.config import Config  # noqa: PLC0415

    parts = ["# Configuration", "", _PRECEDENCE, ""]
    for key, field in _keys(Config, ""):
        default = (
            "required" if field.is_required() else f"default `{_shown(field.get_default(call_default_factory=True))}`"
        )
        parts += [f"## `{key}`", "", f"{field.description or ''}", "", f"{_type(field.annotation)} · {default}", ""]
        if field.examples:
            parts += ["```yaml", *(str(each) for each in field.examples), "```", ""]
    return "\n".join(parts)


def _keys(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield prefix + name, field
        inner = next((each for each in _members(field.annotation) if hasattr(each, "model_fields")), None)
        if inner is not None and not prefix:
            yield from _keys(inner, f"{name}.")


def _members(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        for each in typing.get_args(annotation):
            yield from _members(each)
    else:
        yield annotation


def _type(annotation: Any) -> str:
    from enum import Enum  # noqa: PLC0415

    names = []
    for each in _members(annotation):
        if inspect.isclass(each) and issubclass(each, Enum):
            names += [f"`{choice.value}`" for choice in each]
        elif each is not type(None):
            names.append(getattr(each, "__name__", str(each)) if typing.get_origin(each) is None else str(each))
    return " or ".join(names).replace("typing.", "").replace("collections.abc.", "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) or hasattr(value, "model_dump"):
        return "{}"
    if isinstance(value, list | tuple | frozenset | set):
        return "[" + ", ".join(map(str, value)) + "]"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


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
