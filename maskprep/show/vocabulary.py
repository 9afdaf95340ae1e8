"""What a build made of the tokenizer's vocabulary, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from maskprep.show.styles import WARNING
from maskprep.show.tables import count, line, verbatim


def show_vocabulary(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the tokens added to the tokenizer, if any, and the pad token, if the tokenizer had none."""
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
        verbatim(console, f"  model.resize_token_embeddings({size})")
    if facts.get("eos_from") == "configuration":
        line(console, f"the tokenizer's eos_token is {facts['eos_token']}, as configured")
    if facts["pad_from"] == "eos_token":
        token = facts["pad_token"]
        line(console, f"the tokenizer has no pad token: {token} pads, with labels of -100 by position")
    if facts["pad_from"] == "nowhere":
        label = "the tokenizer has no pad token:"
        line(console, " set tokenizer.pad_token before batches are padded", WARNING, label=label)
