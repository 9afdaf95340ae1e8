"""From what a user names to the sources to read: files, globs, folders, data sets, object stores, the Hub."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskprep.errors import UsageError
from maskprep.sources.kinds import SUFFIXES, suffix_of
from maskprep.sources.remote_names import expand_remote
from maskprep.sources.splits import a_build, no_rows, split_of
from maskprep.sources.streams import STDIN
from maskprep.storage import is_remote

HUB = "hf:"
"""What the name of a data set on the Hub begins with."""


def expand(patterns: Sequence[str]) -> list[str]:
    """Turn what is named into the names of the sources to read, in the order given, each once.

    The matches of a glob are sorted, and ``**`` spans folders. A folder is the data set that `save_to_disk` wrote there
    (of several splits ``train``, unless ``folder:split`` names another), or else all files of rows in it; URLs of an
    object store are understood alike. ``-`` stands for standard input. Raises UsageError where a name is missing, or
    nothing to read is found.
    """
    chosen: dict[str, str] = {}
    for pattern in patterns:
        for name in _matches(pattern):
            _check_name(name)
            chosen.setdefault(key_of(name), name)
    return list(chosen.values())


def key_of(name: str) -> str:
    """Return the same for two names of one source."""
    return name if name == STDIN or name.startswith(HUB) or is_remote(name) else os.path.abspath(name)  # noqa: PTH100  resolves no link


def _matches(pattern: str) -> list[str]:
    """Find the sources that one name or glob stands for; a file whose name looks like a glob is that file."""
    if pattern == STDIN or pattern.startswith(HUB):
        return [pattern]
    if is_remote(pattern):
        return expand_remote(pattern)
    path = Path(pattern)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return [pattern]
    folder, _, split = pattern.rpartition(":")
    if folder and (Path(folder) / "dataset_dict.json").is_file():
        return [_split(Path(folder), split)]
    if not glob.has_magic(pattern):
        raise UsageError(f"no such file: {pattern}", _looked_up())
    found = list(_globbed([Path(name) for name in sorted(glob.glob(pattern, recursive=True))]))  # noqa: PTH207
    if not found:
        raise UsageError(f"no file matches {pattern}", _looked_up())
    return found


def _globbed(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the files and the data sets among the matches of a glob; ``**`` also finds what these consist of."""
    data_sets = {path for path in paths if path.is_dir() and _is_data_set(path)}
    for path in paths:
        if data_sets.isdisjoint(path.parents):
            if path in data_sets:
                yield from _folder(path)
            elif not path.is_dir():
                yield str(path)


def _folder(path: Path) -> list[str]:
    if (path / "maskprep" / "manifest.json").is_file():
        raise a_build(str(path))
    if (path / "state.json").is_file():
        return [str(path)]
    if (path / "dataset_dict.json").is_file():
        return [_split(path, None)]
    found = list(_files(path))
    if not found:
        raise no_rows(str(path))
    return found


def _files(folder: Path) -> Iterator[str]:
    """Yield the files and data sets below a folder, in order; a folder that several links lead to is read once."""
    seen = {_identity(folder)}
    waiting = _entries(folder)
    while waiting:
        entry = waiting.pop()
        if entry.is_dir():
            if _is_data_set(entry):
                yield from _folder(entry)
            elif (identity := _identity(entry)) not in seen:
                seen.add(identity)
                waiting += _entries(entry)
        elif suffix_of(entry.name) in SUFFIXES:
            yield str(entry)


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder and not hidden, the last first."""
    return sorted((entry for entry in folder.iterdir() if not entry.name.startswith((".", "_"))), reverse=True)


def _is_data_set(path: Path) -> bool:
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json", "maskprep/manifest.json"))


def _split(path: Path, wanted: str | None) -> str:
    def is_there(name: str) -> bool:
        return (path / name / "state.json").is_file()

    return str(path / split_of(str(path), str(path / "dataset_dict.json"), is_there, wanted))


def _looked_up() -> str:
    return f"It was looked up from {Path.cwd()}: check the spelling and the folder."


def _check_name(name: str) -> None:
    """Refuse a file name that could not be written down beside the rows that come from it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"the file name {name!r} is not UTF-8"
        raise UsageError(message, "Rename the file: every row records its name.") from error
