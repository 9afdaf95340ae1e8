"""The files that make a folder a data set, each renamed into place when it is whole, and the seal of the manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskprep.shards.files import sync
from maskprep.shards.long_json import compact, indented

SEAL = "_maskprep_manifest"
"""The key under which the last file to come has the checksum of the manifest."""


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the checksum of a manifest, but for when and where the data set was built: the same build has the same."""
    facts = {**manifest, "now": None, "config": {**manifest["config"], "output": None}}
    found = hashlib.sha256()
    for piece in compact(facts):
        found.update(piece.encode())
    return found.hexdigest()


def state_of(names: Sequence[str], fingerprint: str, split: str, seal: str) -> dict[str, Any]:
    """Return what ``load_from_disk`` reads of an Arrow folder; it looks at no key that it does not know."""
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": split_fingerprint(fingerprint, split),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split or None,
        SEAL: seal,
    }


def split_fingerprint(fingerprint: str, split: str) -> str:
    """Return the fingerprint by which ``datasets`` knows a split: two of them must not be taken for one."""
    return (hashlib.sha256(f"{fingerprint}/{split}".encode()).hexdigest() if split else fingerprint)[:16]


def put(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file under another name, and rename it: it is there as a whole, or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    write_json(partial, value)
    sync(path.parent)
    partial.rename(path)
    sync(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file that lies on the disk when this returns."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(indented(value))
        file.flush()
        os.fsync(file.fileno())
