"""The settings for the trainer's configuration, filled in from a finished data set, and the file that holds them.

OUT/maskprep/train.py       the settings, with comments in front that say what would change the loss
… .yaml, .sh       the same, where the trainer reads that
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskprep.dataset.profiles import PROFILES, Handover
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import Layout
from maskprep.dataset.stops import eos_of, ids_missing_in_model
from maskprep.storage import is_remote

_WIDTH = 100  # columns of comments
_NOTES = "What would change the loss, without an error:"


def hand_over(folder: str, manifest: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    """Return the trainer, its ``settings`` to paste and the settings that would change the loss, as JSON types.

    Args:
        folder: the data set, a folder or a URL.
        manifest: what its manifest holds.
        layout: which columns its rows have.
    """
    profile, config, words = PROFILES[manifest["config"]["profile"]], manifest["config"], manifest["vocabulary"]
    longest = manifest["totals"]["longest_sequence"]
    # A trainer that packs by itself makes rows as long as it is told that they may be.
    most = config["packing"]["length"] if layout.packed else max(longest, config["max_length"] or 0)
    grown = words["added"] or words["added_special"] or words["rounded_size"] != words["size"]
    stops = manifest.get("stops") or {"trained": [], "generation": []}  # builds of an earlier version tell of none
    # Settings are pasted elsewhere: there, another folder is the current one.
    place = folder if is_remote(folder) else str(Path(folder).absolute())
    handover = Handover(
        folder=place,
        tokenizer=f"{place}/tokenizer",
        max_length=most,
        weighted=layout.weighted,
        packed=layout.packed,
        trees=layout.trees,
        divided=config["split"] > 0,
        pad_token=words["pad_token"] if words["pad_from"] in {"configuration", "added"} else None,
        vocabulary=words["rounded_size"] if grown else None,
        stops=tuple(ids_missing_in_model(stops, words.get("eos_from", "tokenizer"))),
        ends=tuple(stop["token"] for stop in stops["trained"]),
        eos_token=eos_of(stops),
    )
    return {
        "profile": profile.name,
        "name": profile.title,
        "language": profile.language,
        "settings": profile.settings(handover),
        "pitfalls": list(profile.pitfalls(layout)),
    }


def handed_over(data: StoredDataSet) -> dict[str, Any]:
    """Return what ``hand_over`` does of a finished data set, wherever it lies by now.

    Raises:
        BuildError: its first shard cannot be read.
    """
    columns = next(data.shards[0].rows()).schema.names
    return hand_over(str(data.root), data.whole, Layout.told(columns))


def settings_text(trainer: Mapping[str, Any]) -> str:
    """Return the trainer's settings as the text of a file: what would change the loss stands in comments in front."""
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent="#   - ", subsequent_indent="#     ", break_long_words=False, break_on_hyphens=False
    )
    head = [f"# Settings for {trainer['name']}, made by maskprep. {_NOTES}"]
    for pitfall in trainer["pitfalls"]:
        head += wrapper.wrap(pitfall)
    return "\n".join([*head, "", trainer["settings"].strip("\n"), ""])
