"""What the trainer must be told, to paste; and how rows were packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from maskprep.show.tables import count, line, percent

_LANGUAGES = {"python": "Python", "yaml": "YAML", "bash": "shell"}


def show_trainer(console: Console, trainer: Mapping[str, Any]) -> None:
    """Print settings to paste, as they are, and those that would change the loss without an error."""
    line(console, f"settings for {trainer['name']}, to paste ({_LANGUAGES[trainer['language']]}):", "bold")
    line(console, "")
    for text in trainer["settings"].splitlines():
        line(console, text)
    line(console, "")
    line(console, "what would change the loss, without an error:", "bold")
    for pitfall in trainer["pitfalls"]:
        line(console, f"  - {pitfall}")


def show_packing(console: Console, packing: Mapping[str, Any] | None) -> None:
    """Print how rows were packed, if they were."""
    if packing and packing["rows"]:
        length = packing["slots"] // packing["rows"]
        line(console, f"packed into {count(packing['rows'], 'row')} of {length:,} tokens, {packing['fill']:.3%} filled")


def show_too_long(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what became of rows that were too long, if there were any."""
    if facts["rows"]:
        tokens = f"{facts['tokens_before']:,} tokens became {facts['tokens']:,}"
        trained = f"{facts['trained_tokens_before']:,} trained ones became {facts['trained_tokens']:,}"
        kept = percent(facts["trained_tokens"], facts["trained_tokens_before"])
        line(console, f"{count(facts['rows'], 'row')} too long: their {tokens}, {trained} ({kept})", "yellow")
