"""Rows to pack, and what a packed build holds, read with pyarrow alone."""

from __future__ import annotations

import gzip
import json
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from builds import NOW, chat
from inspections import make

ROWS = tuple(
    chat(*(f"{word} {number} " + f"{word} and more " * (number * 7 % 11) for word in ("Say", "Sure", "Again", "Yes")))
    for number in range(24)
)
LENGTH = 512  # about four of them
COLUMNS = {
    ("hf", False): ["input_ids", "labels", "spans", "origin"],
    ("hf", True): ["input_ids", "labels", "position_ids", "seq_lengths", "spans", "origin"],
    ("trl", False): ["input_ids", "labels"],
    ("trl", True): ["input_ids", "labels", "seq_lengths"],
    ("axolotl", False): ["input_ids", "attention_mask", "labels"],
    ("llamafactory", False): ["input_ids", "attention_mask", "labels"],
    ("llamafactory", True): ["input_ids", "attention_mask", "labels", "position_ids"],
    ("megatron", False): ["input_ids", "seq_start_id", "loss_mask"],
    ("megatron", True): ["input_ids", "seq_start_id", "loss_mask"],
    ("together", False): ["input_ids", "attention_mask", "labels"],
    ("olmo", False): ["input_ids", "label_mask"],
    ("skyrl", False): ["input_ids", "attention_mask", "loss_mask", "num_actions"],
}


def settings(*given: str) -> list[str]:
    """Return settings as words of the command line, with a time of the build that is always the same."""
    return [word for setting in (f"now={NOW}", *given) for word in ("--set", setting)]


def built(output: Path, source: str, *given: str) -> Path:
    """Build ``source`` with settings."""
    return make(output, source, *settings(*given))


def table(folder: Path) -> Any:
    """Return the shards of one folder as a table."""
    paths = sorted(folder.glob("data-*"))
    if paths[-1].suffix == ".npy":
        return pa.concat_tables([_arrays(path) for path in paths if path.name.endswith(".csv.gz")])
    if paths[0].suffix == ".parquet":
        return pa.concat_tables([pq.read_table(path) for path in paths])
    return pa.concat_tables([pa.ipc.open_stream(path.read_bytes()).read_all() for path in paths])


def _arrays(bounds: Path) -> Any:
    """Return the rows of one shard of flat arrays: every row lies where the table of bounds says."""
    lines = gzip.decompress(bounds.read_bytes()).decode().splitlines()
    places = [tuple(map(int, line.split(","))) for line in lines]
    ids = np.fromfile(bounds.with_name(bounds.name.replace(".csv.gz", ".npy")), np.uint32)
    mask = np.fromfile(bounds.with_name(bounds.name.replace(".csv.gz", ".mask.npy")), np.bool_)
    columns = {"input_ids": ids, "label_mask": mask}
    return pa.table({name: [own[start:end].tolist() for start, end in places] for name, own in columns.items()})


def documents(folder: Path) -> dict[tuple[str, int, int], list[tuple[list[int], list[int]]]]:
    """Return ids and labels of the documents of an hf build, packed or not, by where they come from."""
    found: dict[tuple[str, int, int], list[tuple[list[int], list[int]]]] = {}
    for row in table(folder).to_pylist():
        lengths = row.get("seq_lengths", [len(row["input_ids"])])
        origins = row["origin"] if "seq_lengths" in row else [row["origin"]]
        for origin, (start, end) in zip(origins, pairwise(accumulate(lengths, initial=0)), strict=True):
            document = row["input_ids"][start:end], row["labels"][start:end]
            found.setdefault((origin["file"], origin["line"], origin["sequence"]), []).append(document)
    return found


def facts(folder: Path) -> dict[str, Any]:
    """Return the manifest."""
    value = json.loads((folder / "maskprep" / "manifest.json").read_bytes())
    assert isinstance(value, dict)
    return value
