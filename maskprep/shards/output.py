"""The output folder: claimed at the start, committed at the end, and never half of either.

``state.json`` makes the folder a data set, or ``dataset_dict.json`` where it holds several splits. It is the first file
to go when a build begins over an old one, and the last to come, renamed into place, when a build succeeds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskprep.errors import BuildError, UsageError
from maskprep.profiles import PROFILES, Profile
from maskprep.shards.files import Receipt, sync
from maskprep.shards.long_json import compact, indented
from maskprep.shards.schema import Layout
from maskprep.shards.stored import COMPANIONS

SEAL = "_maskprep_manifest"
"""The key under which the last file to come has the checksum of the manifest."""

SPLITS = ("train", "validation")
"""The parts of a data set that is divided, each in a folder of its own."""

MARKS = ("dataset_dict.json", "maskprep/state.json", "state.json")
"""The files of which one is the last to come: of a data set of splits, of one that is no Arrow folder, of any other."""

_SHARDS = re.compile(
    r"data-\d{5,}(-of-\d{5,}\.(arrow|parquet)|\.partial)|staged-\d{5,}\.arrow\.partial|"
    r"dataset_info\.json|state\.json(\.partial)?"
)
_OURS = re.compile(rf"{_SHARDS.pattern}|dataset_dict\.json(\.partial)?|tokenizer|{COMPANIONS}|{'|'.join(SPLITS)}")
_ALL_MARKS = (*MARKS, *(f"{split}/state.json" for split in SPLITS))
_FOLDER = "maskprep"
_TOKENIZER = "tokenizer"
_NOTES = frozenset(
    {
        *("state.json", "state.json.partial", "manifest.json", "rejects.jsonl", "findings.jsonl", "dropped.jsonl"),
        *("report.html", ".report.html.partial"),
    }
)
_WORK = "work"
_WORKED = re.compile(r"chunk-\d{7,}(-[a-z]+)?(-\d{5,})?(\.json|\.arrow)?|plan\.json|lock|tmp-.*")


class OutputFolder:
    """One output folder.

    Args:
        path: the folder; it need not exist.
        divided: whether it is to hold several splits.
        profile: how its shards are to be read.

    Raises:
        UsageError: from ``claim``, where the folder holds what must not be lost.
    """

    def __init__(self, path: str, *, divided: bool = False, profile: Profile = PROFILES["hf"]) -> None:
        """Name the folder; nothing is touched before ``claim``."""
        self.path, self.profile = Path(path), profile
        self.splits = SPLITS if divided else SPLITS[:1] if profile.container == "dict" else ("",)
        self._seal = ""

    def shards(self, split: str) -> Path:
        """The folder of the shards of a split; the split of a data set that is not divided is called ``""``."""
        return self.path / split

    def companions(self, split: str) -> Path:
        """The folder of what the trainer cannot carry of the rows of a split."""
        return self.path / COMPANIONS / split

    @property
    def rejects(self) -> Path:
        """The file of rejected rows."""
        return self.path / _FOLDER / "rejects.jsonl"

    @property
    def findings(self) -> Path:
        """The file of findings about rows that were used."""
        return self.path / _FOLDER / "findings.jsonl"

    @property
    def dropped(self) -> Path:
        """The file of rows that were left out as duplicates."""
        return self.path / _FOLDER / "dropped.jsonl"

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer as it was used."""
        return self.path / _TOKENIZER

    @property
    def manifest(self) -> Path:
        """The file that tells what the data set holds."""
        return self.path / _FOLDER / "manifest.json"

    @property
    def plan(self) -> Path:
        """The file that tells what an unfinished build is made by."""
        return self.path / _FOLDER / _WORK / "plan.json"

    @property
    def finished(self) -> bool:
        """Whether the folder holds a data set."""
        return any((self.path / mark).is_file() for mark in MARKS)

    def check(self, *, overwrite: bool, resume: bool = False) -> bool:
        """Refuse a folder that must not be written to. Nothing is changed.

        Returns:
            Whether it holds an unfinished build that can be gone on with, where that is wanted (``resume``).
        """
        if self.path.is_symlink() and not self.path.exists():
            raise UsageError(f"the output {str(self.path)!r} is a link that leads nowhere", "mend it or choose another")
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise UsageError(f"the output {str(self.path)!r} is a file", "give a folder to --output")
        foreign = self.foreign()
        if foreign:
            msg = f"the output folder {str(self.path)!r} holds what maskprep did not write: {', '.join(foreign[:5])}"
            raise UsageError(
                msg, "give a new or an empty folder to --output; --overwrite does not delete foreign files"
            )
        if resume and not overwrite and not self.finished and self.plan.is_file():
            return True
        if overwrite or not [entry for entry in self.path.iterdir() if entry.name != _FOLDER]:
            return False
        held = "a data set" if self.finished else "an unfinished build"
        msg = f"the output folder {str(self.path)!r} already holds {held}"
        raise UsageError(msg, "give --overwrite to replace it, or another folder to --output")

    def foreign(self) -> list[str]:
        """Return what in the folder is not ours. Our own subfolder is the proof that the shards beside it are ours."""
        notes = self.path / _FOLDER
        built = notes.is_dir() and not notes.is_symlink()
        foreign = [
            entry.name
            for entry in self.path.iterdir()
            if not (built and (entry == notes or _OURS.fullmatch(entry.name)) and not entry.is_symlink())
        ]
        if built:
            foreign += [f"{_FOLDER}/{entry.name}" for entry in notes.iterdir() if entry.name not in {*_NOTES, _WORK}]
            work = notes / _WORK
            left = (entry.name for entry in work.iterdir()) if work.is_dir() else ()
            foreign += [f"{_FOLDER}/{_WORK}/{name}" for name in left if not _WORKED.fullmatch(name)]
            foreign += [f"{_TOKENIZER}/{name}" for name in self._foreign_beside_the_tokenizer()]
            for folder in (*SPLITS, COMPANIONS, *(f"{COMPANIONS}/{split}" for split in SPLITS)):
                entries = (self.path / folder).iterdir() if (self.path / folder).is_dir() else ()
                inner = SPLITS if folder == COMPANIONS else ()
                names = (entry.name for entry in entries if entry.name not in inner)
                foreign += [f"{folder}/{name}" for name in names if not _SHARDS.fullmatch(name)]
        return sorted(foreign)

    def _foreign_beside_the_tokenizer(self) -> list[str]:
        """Return what a finished build has in its tokenizer folder and did not write there."""
        try:
            written = set(json.loads(self.manifest.read_bytes())["tokenizer_files"])
        except (OSError, ValueError, KeyError, TypeError):
            return []
        folder = self.path / _TOKENIZER
        return [entry.name for entry in folder.iterdir() if entry.name not in written] if folder.is_dir() else []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other builds of this machine out of the folder for the time of the block.

        Raises:
            UsageError: one is there, or the folder cannot be written.
        """
        notes = self.path / _FOLDER
        try:
            notes.mkdir(parents=True, exist_ok=True)
            handle = os.open(notes, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"the output folder {str(self.path)!r} cannot be written: {error.strerror}") from error
        try:
            if not _lock(handle):
                msg = f"another build is writing to the output folder {str(self.path)!r}"
                raise UsageError(msg, "wait for its end, or give another folder to --output")
            yield
        finally:
            os.close(handle)

    def claim(self, *, resume: bool = False) -> None:
        """Make the folder empty but for our own subfolder: from here on it is no data set.

        With ``resume`` what an unfinished build has prepared is kept, and the rest is made again.
        """
        try:
            (self.path / _FOLDER).mkdir(parents=True, exist_ok=True)
            for mark in _ALL_MARKS:
                (self.path / mark).unlink(missing_ok=True)
            self._clear(_NOTES if resume else (*_NOTES, _WORK))
            (self.path / _FOLDER / _WORK).mkdir(exist_ok=True)
            for split in self.splits:
                self.shards(split).mkdir(exist_ok=True)
                if self.profile.companion:
                    self.companions(split).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the output folder {str(self.path)!r} cannot be written: {error.strerror}") from error

    def abandon(self) -> None:
        """Take away everything but the rejects: what is left is no data set, and nothing to go on with."""
        self._clear((*(_NOTES - {"rejects.jsonl"}), _WORK))
        notes = self.path / _FOLDER
        if not any(notes.iterdir()):
            notes.rmdir()
            if not any(self.path.iterdir()):
                self.path.rmdir()

    @property
    def report(self) -> Path:
        """The page that shows what was built."""
        return self.path / _FOLDER / "report.html"

    def describe(self, manifest: Mapping[str, Any], layout: Layout) -> None:
        """Write what describes the shards, whose rows have this layout."""
        from datasets import DatasetInfo, Features  # noqa: PLC0415 - a second to import, wanted only here

        main, companion = self.profile.schema(layout)
        for split in self.splits:
            for folder, schema in ((self.shards(split), main), (self.companions(split), companion)):
                if schema is not None and (folder != self.shards(split) or self.profile.container != "parquet"):
                    DatasetInfo(features=Features.from_arrow_schema(schema)).write_to_directory(str(folder))
        _write(self.manifest, manifest)
        self._seal = seal_of(manifest)

    def commit(self, receipts: Sequence[Receipt], fingerprint: str) -> None:
        """Write the file that makes the folder a data set, last of all: it was described."""
        seal = self._seal
        for split in self.splits:
            own = [receipt for receipt in receipts if receipt.file.rpartition("/")[0] == split]
            if self.profile.companion:
                names = [str(receipt.companion) for receipt in own]
                _commit(self.companions(split) / "state.json", _state(names, f"{fingerprint}/spans", split, seal))
            if self.profile.container != "parquet":
                names = [receipt.file.rpartition("/")[2] for receipt in own]
                _commit(self.shards(split) / "state.json", _state(names, fingerprint, split, seal))
        if self.splits != ("",) and self.profile.container != "parquet":
            _commit(self.path / "dataset_dict.json", {"splits": list(self.splits)})
        if self.profile.container == "parquet":
            # No Arrow folder: `datasets` reads the files, and only we read this.
            _commit(self.path / _FOLDER / "state.json", _state([r.file for r in receipts], fingerprint, "", seal))

    def _clear(self, notes: Collection[str]) -> None:
        """Delete the shards and what describes them, then these of our notes."""
        foreign = self.foreign()
        if foreign:
            raise BuildError(f"{foreign[0]!r} appeared in the output folder during the build", "choose another folder")
        for entry in [*self.path.iterdir()]:
            if entry.name == _FOLDER:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        for name in notes:
            entry = self.path / _FOLDER / name
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)


def is_ours(name: str) -> bool:
    """Tell whether a file of that name, relative to an output, with slashes, may be one that a build wrote."""
    first, *rest = name.split("/")
    if first == _FOLDER and rest:
        return rest[0] in _NOTES if len(rest) == 1 else rest[0] == _WORK and bool(_WORKED.fullmatch(rest[1]))
    if first == _TOKENIZER:
        return True
    if not rest:
        return bool(_OURS.fullmatch(first))
    return first in {*SPLITS, COMPANIONS} and bool(_SHARDS.fullmatch(rest[-1]))


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the checksum of a manifest, but for when and where the data set was built: the same build has the same."""
    facts = {**manifest, "now": None, "config": {**manifest["config"], "output": None}}
    found = hashlib.sha256()
    for piece in compact(facts):
        found.update(piece.encode())
    return found.hexdigest()


def _state(names: Sequence[str], fingerprint: str, split: str, seal: str) -> dict[str, Any]:
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


def _lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed; False where another process has."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows, where nothing is locked
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a network drive without locks
    return True


def _commit(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    _write(partial, value)
    sync(path.parent)
    partial.rename(path)
    sync(path.parent)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(indented(value))
        file.flush()
        os.fsync(file.fileno())
