"""What is read of a folder of this machine: a data set, or the files of rows in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maskprep.sources.cards import CARD, MOST
from maskprep.sources.hub_layout import choose, is_mark, roots_of
from maskprep.sources.kinds import SUFFIXES, suffix_of
from maskprep.sources.splits import Chosen, a_build, choose_split, joined, no_rows, split_of

_LISTED = "dataset_dict.json"


def is_data_set(path: Path) -> bool:
    """Tell whether a folder is what `save_to_disk` wrote, or a build."""
    return any((path / name).is_file() for name in ("state.json", _LISTED, "maskprep/manifest.json"))


def read_folder(path: Path, wanted: str | None = None) -> Chosen:
    """Return the sources in a folder, and what of it is left out; of several splits that ``wanted`` is read.

    Raises UsageError where it holds nothing to read, or the split is not there.
    """
    if (path / "maskprep" / "manifest.json").is_file():
        raise a_build(str(path))
    if (path / "state.json").is_file():
        return Chosen((str(path),)) if wanted is None else Chosen((choose_split(str(path), [], wanted),))
    if (path / _LISTED).is_file():
        return _split(path, wanted)
    rows, marks = _walk(path)
    cards = {mark.removesuffix(CARD).rstrip("/"): _text(path / mark) for mark in marks if mark.endswith(CARD)}
    chosen = choose(str(path), list(rows), roots_of(marks, cards), cards, wanted)
    if not chosen.names:
        raise no_rows(str(path))
    return joined(chosen, {name: _source(rows[name]) for name in chosen.names})


def _source(path: Path) -> Chosen:
    return read_folder(path) if path.is_dir() else Chosen((str(path),))


def _walk(folder: Path) -> tuple[dict[str, Path], Sequence[str]]:
    """Return the files of rows and the data sets below a folder, in order, and the marks of data sets of the Hub.

    Names are relative to the folder; one that several links lead to is gone through once.
    """
    rows: dict[str, Path] = {}
    marks: list[str] = []
    seen = {_identity(folder)}
    waiting = _entries(folder)
    while waiting:
        entry = waiting.pop()
        name = entry.relative_to(folder).as_posix()
        if entry.is_dir():
            if is_data_set(entry):
                rows[name] = entry
            elif (identity := _identity(entry)) not in seen:
                seen.add(identity)
                waiting += _entries(entry)
            continue
        if is_mark(entry.name):
            marks.append(name)
        if suffix_of(entry.name) in SUFFIXES:
            rows[name] = entry
    return rows, marks


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder and not hidden, the last first."""
    return sorted((entry for entry in folder.iterdir() if not entry.name.startswith((".", "_"))), reverse=True)


def _split(path: Path, wanted: str | None) -> Chosen:
    def is_there(name: str) -> bool:
        return (path / name / "state.json").is_file()

    chosen = split_of(str(path), str(path / _LISTED), is_there, wanted)
    return Chosen(tuple(str(path / name) for name in chosen.names), chosen.left_out, chosen.splits)


def _text(path: Path) -> str:
    """Return the beginning of a README; empty of what cannot be read as a file."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MOST).decode(errors="replace")
    except OSError:
        return ""
