"""What the configuration made of the vocabulary, and what the trainer must do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.show.tables import count, line


def show_vocabulary(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what was added to the tokenizer, if anything, and the pad token, if the tokenizer had none."""
    new = facts["added"] + facts["added_special"]
    if new:
        special = f", {facts['added_special']:,} of them special" if facts["added_special"] else ""
        line(console, f"{count(new, 'token')} added{special}: the vocabulary grew to {facts['size']:,}")
    if facts["already_there"] or facts["repeated"]:
        known, again = facts["already_there"], facts["repeated"]
        line(console, f"tokens that were there already: {known:,}; named more than once: {again:,}")
    if new or facts["rounded_size"] != facts["size"]:
        size = facts["rounded_size"]
        line(console, "  before training, where the model's embedding has fewer rows:")
        line(console, f"  model.resize_token_embeddings({size})", "yellow")
    if facts.get("eos_from") == "configuration":
        line(console, f"the tokenizer's eos_token is {facts['eos_token']}, as configured")
    if facts["pad_from"] == "eos_token":
        token = facts["pad_token"]
        line(console, f"the tokenizer has no pad token: {token} pads, with labels of -100 by position")
    if facts["pad_from"] == "nowhere":
        line(console, "the tokenizer has no pad token: set tokenizer.pad_token before batches are padded", "yellow")


def show_notes(console: Console, notes: Sequence[Mapping[str, str]]) -> None:
    """Print what must be known of the data set as a whole, each with a way out."""
    for note in notes:
        line(console, f"note: {note['message']}", "yellow")
        line(console, f"    way out: {note['hint']}")
