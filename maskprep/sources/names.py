"""From what a user names to the sources to read: files, globs, folders, data sets, object stores, the Hub."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from maskprep.errors import UsageError
from maskprep.sources.local_folder import is_data_set, read_folder
from maskprep.sources.remote_names import expand_remote
from maskprep.sources.splits import Chosen
from maskprep.sources.streams import STDIN
from maskprep.storage import is_remote

_LISTED = 10_000  # names of a folder that are compared with a wrong one

HUB = "hf:"
"""What the name of a data set on the Hub begins with."""


def expand(patterns: Sequence[str]) -> list[str]:
    """Return the names of the sources that patterns stand for, in the order given, each once, as ``find`` tells."""
    chosen: dict[str, str] = {}
    for pattern in patterns:
        for name in find(pattern).names:
            chosen.setdefault(key_of(name), name)
    return list(chosen.values())


def find(pattern: str) -> Chosen:
    """Return the names of the sources that a pattern stands for, and those that are left out of a folder it names.

    The matches of a glob are sorted, and ``**`` spans folders. A folder is the data set that `save_to_disk` wrote
    there, or else all files of rows in it; of several splits ``train``, unless ``folder:split`` names another, and no
    metadata. URLs of an object store are understood alike. A file, or a glob of files, is read as it is named. ``-``
    stands for standard input. Raises UsageError where a name is missing, or nothing to read is found.
    """
    found = _matches(pattern)
    chosen: dict[str, str] = {}
    for name in found.names:
        _check_name(name)
        chosen.setdefault(key_of(name), name)
    return replace(found, names=tuple(chosen.values()))


def key_of(name: str) -> str:
    """Return the key that all names of one source have in common: of a file its absolute path."""
    return name if name == STDIN or name.startswith(HUB) or is_remote(name) else os.path.abspath(name)  # noqa: PTH100  resolves no link


def _matches(pattern: str) -> Chosen:
    """Find the sources that one name or glob stands for; a file whose name looks like a glob is that file."""
    if pattern == STDIN or pattern.startswith(HUB):
        return Chosen((pattern,))
    if is_remote(pattern):
        return expand_remote(pattern)
    path = Path(pattern)
    if path.is_dir():
        return read_folder(path)
    if path.exists():
        return Chosen((pattern,))
    folder, _, split = pattern.rpartition(":")
    if folder and Path(folder).is_dir():
        return read_folder(Path(folder), split)
    if not glob.has_magic(pattern):
        near = _near(path)
        raise UsageError(f"no such file: {pattern}{f': did you mean {near}?' if near else ''}", _looked_up())
    found = tuple(_globbed([Path(name) for name in sorted(glob.glob(pattern, recursive=True))]))  # noqa: PTH207
    if not found:
        raise UsageError(f"no file matches {pattern}", _looked_up())
    return Chosen(found)


def _globbed(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the files and the data sets among the matches of a glob; ``**`` also finds what these consist of."""
    data_sets = {path for path in paths if path.is_dir() and is_data_set(path)}
    for path in paths:
        if data_sets.isdisjoint(path.parents):
            if path in data_sets:
                yield from read_folder(path).names
            elif not path.is_dir():
                yield str(path)


def _near(path: Path) -> str:
    """Return the name of a file in the same folder that is nearly spelt like one, an empty text where there is none."""
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), _LISTED)]
    except OSError:
        return ""
    return next((str(path.parent / name) for name in difflib.get_close_matches(path.name, names, n=1)), "")


def _looked_up() -> str:
    return f"It was looked up from {Path.cwd()}: check the spelling and the folder."


def _check_name(name: str) -> None:
    """Refuse a file name that could not be written down beside the rows that come from it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"the file name {name!r} is not UTF-8"
        raise UsageError(message, "Rename the file: every row records its name.") from error
