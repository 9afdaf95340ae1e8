"""The check of a data set's folder, which may come from anyone: it holds no links out of it, and nothing but files."""

from __future__ import annotations

import os
from pathlib import Path

from maskprep.errors import UsageError

_FOLDERS = ("", "maskprep", "tokenizer", "train", "validation", "spans", "spans/train", "spans/validation")


def check_inside(folder: Path) -> None:
    """Refuse a data set that has links out of its folder, or pipes and devices, where its files are looked for.

    Raises UsageError.
    """
    root = folder.resolve()
    for name in _FOLDERS:
        place = folder / name
        for entry in place.iterdir() if place.is_dir() else ():
            if entry.is_symlink() and not entry.resolve().is_relative_to(root):
                raise _foreign(folder, entry, "is a link that leads out of the folder")
            if entry.exists() and not (entry.is_file() or entry.is_dir()):
                raise _foreign(folder, entry, "is a pipe or a device")


def _foreign(folder: Path, entry: Path, what: str) -> UsageError:
    hint = "Nothing that maskprep writes is such. If you trust it, copy what it leads to: `cp -rL FOLDER COPY`."
    return UsageError(f"{str(folder)!r}: {os.path.relpath(entry, folder)!r} {what}", hint)
