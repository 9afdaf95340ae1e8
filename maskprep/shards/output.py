"""The output folder: claimed at the start, committed at the end, and never half of either.

``state.json`` makes the folder a data set. It is the first file to go when a build begins over an old one, and the
last to come, renamed into place, when a build succeeds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskprep.errors import BuildError, UsageError
from maskprep.shards.files import Receipt
from maskprep.shards.schema import SCHEMA

_OURS = re.compile(
    r"data-\d{5}(-of-\d{5}\.arrow|\.arrow\.partial)|dataset_info\.json|state\.json(\.partial)?|tokenizer"
)
_FOLDER = "maskprep"
_TOKENIZER = "tokenizer"
_NOTES = frozenset({"manifest.json", "rejects.jsonl", "findings.jsonl", "report.html", ".report.html.partial"})


class OutputFolder:
    """One output folder.

    Args:
        path: the folder; it need not exist.

    Raises:
        UsageError: from ``claim``, where the folder holds what must not be lost.
    """

    def __init__(self, path: str) -> None:
        """Name the folder; nothing is touched before ``claim``."""
        self.path = Path(path)

    @property
    def rejects(self) -> Path:
        """The file of rejected rows."""
        return self.path / _FOLDER / "rejects.jsonl"

    @property
    def findings(self) -> Path:
        """The file of findings about rows that were used."""
        return self.path / _FOLDER / "findings.jsonl"

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer as it was used."""
        return self.path / _TOKENIZER

    @property
    def manifest(self) -> Path:
        """The file that tells what the data set holds."""
        return self.path / _FOLDER / "manifest.json"

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that must not be written to. Nothing is changed."""
        if self.path.is_symlink() and not self.path.exists():
            raise UsageError(f"the output {str(self.path)!r} is a link that leads nowhere", "mend it or choose another")
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise UsageError(f"the output {str(self.path)!r} is a file", "give a folder to --output")
        foreign = self._foreign()
        if foreign:
            msg = f"the output folder {str(self.path)!r} holds what maskprep did not write: {', '.join(foreign[:5])}"
            raise UsageError(
                msg, "give a new or an empty folder to --output; --overwrite does not delete foreign files"
            )
        if overwrite or not [entry for entry in self.path.iterdir() if entry.name != _FOLDER]:
            return
        finished = "a data set" if (self.path / "state.json").exists() else "an unfinished build"
        msg = f"the output folder {str(self.path)!r} already holds {finished}"
        raise UsageError(msg, "give --overwrite to replace it, or another folder to --output")

    def _foreign(self) -> list[str]:
        """Return what in the folder is not ours. Our own subfolder is the proof that the shards beside it are ours."""
        notes = self.path / _FOLDER
        built = notes.is_dir() and not notes.is_symlink()
        foreign = [
            entry.name
            for entry in self.path.iterdir()
            if not (built and (entry == notes or _OURS.fullmatch(entry.name)) and not entry.is_symlink())
        ]
        if built:
            foreign += [f"{_FOLDER}/{entry.name}" for entry in notes.iterdir() if entry.name not in _NOTES]
            foreign += [f"{_TOKENIZER}/{name}" for name in self._foreign_beside_the_tokenizer()]
        return sorted(foreign)

    def _foreign_beside_the_tokenizer(self) -> list[str]:
        """Return what a finished build has in its tokenizer folder and did not write there."""
        try:
            written = set(json.loads(self.manifest.read_bytes())["tokenizer_files"])
        except (OSError, ValueError, KeyError, TypeError):
            return []
        folder = self.path / _TOKENIZER
        return [entry.name for entry in folder.iterdir() if entry.name not in written] if folder.is_dir() else []

    def claim(self) -> None:
        """Make the folder empty but for our own subfolder: from here on it is no data set."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "state.json").unlink(missing_ok=True)
            (self.path / _FOLDER).mkdir(exist_ok=True)
            self._clear(_NOTES)
        except OSError as error:
            raise UsageError(f"the output folder {str(self.path)!r} cannot be written: {error.strerror}") from error

    def abandon(self) -> None:
        """Take away everything but the rejects: what is left is no data set."""
        self._clear(_NOTES - {"rejects.jsonl"})
        notes = self.path / _FOLDER
        if not any(notes.iterdir()):
            notes.rmdir()
            if not any(self.path.iterdir()):
                self.path.rmdir()

    @property
    def report(self) -> Path:
        """The page that shows what was built."""
        return self.path / _FOLDER / "report.html"

    def describe(self, manifest: Mapping[str, Any]) -> None:
        """Write what describes the shards."""
        from datasets import DatasetInfo, Features  # noqa: PLC0415 - a second to import, wanted only here

        DatasetInfo(features=Features.from_arrow_schema(SCHEMA)).write_to_directory(str(self.path))
        _write(self.manifest, manifest)

    def commit(self, receipts: Sequence[Receipt], fingerprint: str) -> None:
        """Write ``state.json``, last of all: from here on the folder is a data set."""
        state: dict[str, Any] = {
            "_data_files": [{"filename": receipt.file} for receipt in receipts],
            "_fingerprint": fingerprint[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        partial = self.path / "state.json.partial"
        _write(partial, state)
        _sync_folder(self.path)
        partial.rename(self.path / "state.json")
        _sync_folder(self.path)

    def _clear(self, notes: Collection[str]) -> None:
        """Delete the shards and what describes them, then these of our notes."""
        foreign = self._foreign()
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
            (self.path / _FOLDER / name).unlink(missing_ok=True)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
