"""Keys of the configuration as text for people: all of them in one line each, or one in full."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from maskprep.config.key_help import Key
from maskprep.recommend.commented import example_of
from maskprep.recommend.words import HISTORIES
from maskprep.show.styles import HEADING
from maskprep.show.tables import line


def show_keys(console: Console, known: Sequence[Key]) -> None:
    """Print all keys, each with its default and what it means, in one line."""
    wide = max(len(key.name) for key in known)
    for key in known:
        text = Text.assemble((f"{key.name:<{wide}}", HEADING), f"  {key.meaning} [{key.default}]")
        text.truncate(console.width, overflow="ellipsis")
        console.print(text, soft_wrap=True)
    line(console, "")
    line(console, "maskprep config KEY explains one of them")


def show_key(console: Console, key: Key) -> None:
    """Print one key: what it means, its type, default and choices, and an example for a file and for a shell."""
    line(console, key.name, HEADING)
    line(console, f"  {key.meaning}", hang=2)
    if key.name == "history":
        for history, meaning in HISTORIES.items():
            line(console, f"  - {history}: {meaning}", hang=4)
    line(console, "")
    line(console, f"type      {key.type}", hang=10)
    if key.choices:
        line(console, f"choices   {', '.join(key.choices)}", hang=10)
    line(console, f"default   {key.default}", hang=10)
    line(console, f"in YAML   {example_of(key)}", hang=10)
    if not key.name.startswith("sources"):
        line(console, f"or        --set '{key.name}={key.example}'", hang=10)
