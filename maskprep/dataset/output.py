"""The output folder: claimed at the start, committed at the end, and never half of either.

``state.json`` makes the folder a data set, or ``dataset_dict.json`` where it holds several splits. It is the first file
to go when a build begins over an old one, and the last to come, renamed into place, when a build succeeds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskprep.dataset.features import write_features
from maskprep.dataset.files import Receipt
from maskprep.dataset.names import ALL_MARKS, FOLDER, MARKS, NOTES, SETTINGS, SPLITS, TOKENIZER, WORK, foreign
from maskprep.dataset.profiles import PROFILES, Profile
from maskprep.dataset.schema import Layout
from maskprep.dataset.sealed import put, seal_of, state_of
from maskprep.dataset.stored import COMPANIONS
from maskprep.errors import BuildError, UsageError


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
        """Name the output folder; nothing is touched before ``claim``."""
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
        return self.path / FOLDER / "rejects.jsonl"

    @property
    def findings(self) -> Path:
        """The file of findings about rows that were used."""
        return self.path / FOLDER / "findings.jsonl"

    @property
    def dropped(self) -> Path:
        """The file of rows that were left out though nothing is wrong with them."""
        return self.path / FOLDER / "dropped.jsonl"

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer as it was used."""
        return self.path / TOKENIZER

    @property
    def manifest(self) -> Path:
        """The file that tells what the data set holds."""
        return self.path / FOLDER / "manifest.json"

    @property
    def plan(self) -> Path:
        """The file that tells from which configuration and sources an unfinished build is made."""
        return self.path / FOLDER / WORK / "plan.json"

    @property
    def finished(self) -> bool:
        """Whether the folder holds a data set."""
        return any((self.path / mark).is_file() for mark in MARKS)

    def check(self, *, overwrite: bool, resume: bool = False) -> bool:
        """Refuse an output folder that must not be written to. Nothing is changed.

        Returns:
            Whether the folder holds an unfinished build that can be resumed, where that is wanted (``resume``).
        """
        if self.path.is_symlink() and not self.path.exists():
            raise UsageError(f"the output {str(self.path)!r} is a link that leads nowhere", "mend it or choose another")
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise UsageError(f"the output {str(self.path)!r} is a file", "give a folder to --output")
        strange = foreign(self.path)
        if strange:
            msg = f"the output folder {str(self.path)!r} holds what maskprep did not write: {', '.join(strange[:5])}"
            raise UsageError(
                msg, "give a new or an empty folder to --output; --overwrite does not delete foreign files"
            )
        if resume and not overwrite and not self.finished and self.plan.is_file():
            return True
        if overwrite or not [entry for entry in self.path.iterdir() if entry.name != FOLDER]:
            return False
        held = "a data set" if self.finished else "an unfinished build"
        msg = f"the output folder {str(self.path)!r} already holds {held}"
        raise UsageError(msg, "give --overwrite to replace it, or another folder to --output")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other builds of this machine out of the folder for the time of the block.

        Raises:
            UsageError: another build is there, or the folder cannot be written.
        """
        notes = self.path / FOLDER
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
        """Empty the output folder but for the build's own subfolder: from here on it is no data set.

        With ``resume`` the rows that an unfinished build has prepared are kept, and the rest is made again.
        """
        try:
            (self.path / FOLDER).mkdir(parents=True, exist_ok=True)
            for mark in ALL_MARKS:
                (self.path / mark).unlink(missing_ok=True)
            self._clear(NOTES if resume else (*NOTES, WORK))
            (self.path / FOLDER / WORK).mkdir(exist_ok=True)
            for split in self.splits:
                self.shards(split).mkdir(exist_ok=True)
                if self.profile.companion:
                    self.companions(split).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the output folder {str(self.path)!r} cannot be written: {error.strerror}") from error

    def abandon(self) -> None:
        """Delete the build's files but for the rejects: what is left is neither a data set nor a build to resume."""
        self._clear((*(NOTES - {"rejects.jsonl"}), WORK))
        notes = self.path / FOLDER
        if not any(notes.iterdir()):
            notes.rmdir()
            if not any(self.path.iterdir()):
                self.path.rmdir()

    @property
    def report(self) -> Path:
        """The page that shows rows and figures of the build."""
        return self.path / FOLDER / "report.html"

    def settings(self, language: str) -> Path:
        """Return the file of the trainer's settings, which are in this language."""
        return self.path / FOLDER / SETTINGS[language]

    def describe(self, manifest: Mapping[str, Any], layout: Layout) -> None:
        """Write the files that describe the shards, whose rows have this layout: types of columns, and the manifest."""
        main, companion = self.profile.schema(layout)
        for split in self.splits:
            for folder, schema in ((self.shards(split), main), (self.companions(split), companion)):
                if schema is not None and (folder != self.shards(split) or self.profile.is_loadable):
                    write_features(folder, schema)
        put(self.manifest, manifest)
        self._seal = seal_of(manifest)

    def commit(self, receipts: Sequence[Receipt], fingerprint: str) -> None:
        """Write the file that makes the folder a data set, last of all, after ``describe``."""
        seal = self._seal
        for split in self.splits:
            own = [receipt for receipt in receipts if receipt.file.rpartition("/")[0] == split]
            if self.profile.companion:
                names = [str(receipt.companion) for receipt in own]
                put(self.companions(split) / "state.json", state_of(names, f"{fingerprint}/spans", split, seal))
            if self.profile.is_loadable:
                names = [receipt.file.rpartition("/")[2] for receipt in own]
                put(self.shards(split) / "state.json", state_of(names, fingerprint, split, seal))
        if self.splits != ("",) and self.profile.is_loadable:
            put(self.path / "dataset_dict.json", {"splits": list(self.splits)})
        if not self.profile.is_loadable:
            # No Arrow folder: `datasets` reads the files, and only we read this.
            put(self.path / FOLDER / "state.json", state_of([r.file for r in receipts], fingerprint, "", seal))

    def _clear(self, notes: Collection[str]) -> None:
        """Delete the shards and the files that describe them, then these ``notes`` of the build's own subfolder."""
        strange = foreign(self.path)
        if strange:
            raise BuildError(f"{strange[0]!r} appeared in the output folder during the build", "choose another folder")
        for entry in [*self.path.iterdir()]:
            if entry.name == FOLDER:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        for name in notes:
            entry = self.path / FOLDER / name
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)


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
