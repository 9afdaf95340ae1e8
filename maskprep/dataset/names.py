"""The names in an output folder: which files a build writes, and which are foreign."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from maskprep.dataset.stored import COMPANIONS
from maskprep.storage.atomic import PARTIAL

SPLITS = ("train", "validation")
"""The parts of a data set that is divided, each in a folder of its own."""

MARKS = ("dataset_dict.json", "maskprep/state.json", "state.json")
"""The files of which one is the last to come: of a data set of splits, of one that is no Arrow folder, of any other."""

_SHARDS = re.compile(
    r"data-\d{5,}(-of-\d{5,}\.(arrow|parquet|(mask\.)?npy|csv\.gz)|(\.(mask\.npy|csv\.gz))?\.partial)|staged-\d{5,}\.arrow\.partial|"
    r"dataset_info\.json|state\.json(\.partial)?"
)
_OURS = re.compile(rf"{_SHARDS.pattern}|dataset_dict\.json(\.partial)?|tokenizer|{COMPANIONS}|{'|'.join(SPLITS)}")
ALL_MARKS = (*MARKS, *(f"{split}/state.json" for split in SPLITS))
FOLDER = "maskprep"
TOKENIZER = "tokenizer"
_WHOLE = ("state.json", "manifest.json", "report.html")

SETTINGS: Mapping[str, str] = MappingProxyType({"python": "train.py", "yaml": "train.yaml", "bash": "train.sh"})
"""The file of the trainer's settings, by the language that they are in."""

NOTES = frozenset(
    {
        *_WHOLE,
        *SETTINGS.values(),
        *(name + PARTIAL for name in _WHOLE),
        "rejects.jsonl",
        "findings.jsonl",
        "dropped.jsonl",
    }
)
WORK = "work"
_WORKED = re.compile(r"chunk-\d{7,}(-[a-z]+)?(-\d{5,})?(\.json|\.arrow)?|plan\.json|lock|tmp-.*")


def is_ours(name: str) -> bool:
    """Tell whether a build may have written a file of that name, which is relative to an output, with slashes."""
    first, *rest = name.split("/")
    if first == FOLDER and rest:
        return rest[0] in NOTES if len(rest) == 1 else rest[0] == WORK and bool(_WORKED.fullmatch(rest[1]))
    if first == TOKENIZER:
        return True
    if not rest:
        return bool(_OURS.fullmatch(first))
    return first in {*SPLITS, COMPANIONS} and bool(_SHARDS.fullmatch(rest[-1]))


def foreign(path: Path) -> list[str]:
    """Return an output folder's files that no build wrote. A build's subfolder proves that the shards are its own."""
    notes = path / FOLDER
    built = notes.is_dir() and not notes.is_symlink()
    found = [
        entry.name
        for entry in path.iterdir()
        if not (built and (entry == notes or _OURS.fullmatch(entry.name)) and not entry.is_symlink())
    ]
    if built:
        found += [f"{FOLDER}/{entry.name}" for entry in notes.iterdir() if entry.name not in {*NOTES, WORK}]
        work = notes / WORK
        left = (entry.name for entry in work.iterdir()) if work.is_dir() else ()
        found += [f"{FOLDER}/{WORK}/{name}" for name in left if not _WORKED.fullmatch(name)]
        found += [f"{TOKENIZER}/{name}" for name in _beside_the_tokenizer(path)]
        for folder in (*SPLITS, COMPANIONS, *(f"{COMPANIONS}/{split}" for split in SPLITS)):
            entries = (path / folder).iterdir() if (path / folder).is_dir() else ()
            inner = SPLITS if folder == COMPANIONS else ()
            names = (entry.name for entry in entries if entry.name not in inner)
            found += [f"{folder}/{name}" for name in names if not _SHARDS.fullmatch(name)]
    return sorted(found)


def _beside_the_tokenizer(path: Path) -> list[str]:
    """Return the files in the tokenizer folder of a finished build that the build did not write."""
    try:
        written = set(json.loads((path / FOLDER / "manifest.json").read_bytes())["tokenizer_files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    folder = path / TOKENIZER
    return [entry.name for entry in folder.iterdir() if entry.name not in written] if folder.is_dir() else []
