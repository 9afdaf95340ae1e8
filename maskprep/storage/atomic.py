"""Files that are there whole or not at all, also after a crash: written under another name, synced, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
"""What the name of a file ends with that is not whole yet."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which has the name ``path`` once the block has ended, and is gone where the block fails.

    A pipe or a device is written to, never replaced by a file of that name.

    Raises:
        OSError: the file cannot be written; where it cannot be begun, ``filename`` is ``path`` and no other name.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()
    partial = target.with_name(f"{target.name}{PARTIAL}")
    begun = _begun(partial, path)
    try:
        with begun as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename({partial: target})
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _begun(partial: Path, path: Path) -> BinaryIO:
    try:
        return partial.open("wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def rename(files: Mapping[Path, Path]) -> None:
    """Give files that are on the disk their final names; these are on the disk, too, when this returns."""
    for partial, target in files.items():
        partial.replace(target)
    for folder in {target.parent for target in files.values()}:
        with suppress(PermissionError):  # a folder that may be written but not read; on Windows, any
            sync(folder)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before anything else is done."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
