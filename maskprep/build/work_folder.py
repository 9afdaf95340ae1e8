"""Where workers leave what they made: a folder that all of them see."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from maskprep.dataset import names
from maskprep.storage.atomic import rename, sync

WORK = f"{names.FOLDER}/{names.WORK}"
"""The folder within the output of what is needed until the commit."""

_SCRATCH = "tmp-"


class WorkFolder(Protocol):
    """An output as workers see it. It is picklable. Names are relative to the output, with slashes."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Give a new empty folder of this machine for the time of the block: ``with place.scratch() as folder``."""

    def publish(self, files: Mapping[str, Path]) -> None:
        """Make files of the scratch folder visible under their names: each whole, and on the disk, or not at all."""

    def write(self, name: str, data: bytes) -> None:
        """Make a file of these bytes, whole or not at all. What was published before is there if it is."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises ``FileNotFoundError`` where there is none."""

    def adopt(self, name: str, final: str) -> None:
        """Give a file a second name, outside of ``WORK``. It keeps the first until ``clear``."""

    def names(self) -> dict[str, int]:
        """Return the names of all files within ``WORK`` and their sizes."""

    def local(self, name: str) -> Path:
        """Return a file of this machine with the same bytes, which is not to be changed."""

    def clear(self) -> None:
        """Delete everything within ``WORK``."""


@dataclass(frozen=True, slots=True)
class LocalWorkFolder:
    """A folder of this machine, or one that all machines have mounted."""

    root: str

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder on the same disk: what is made there is renamed into its place."""
        work = Path(self.root) / WORK
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what cannot be deleted now is deleted at the commit

    def publish(self, files: Mapping[str, Path]) -> None:
        """Rename files into their places."""
        for path in files.values():
            sync(path)
        rename({path: Path(self.root) / name for name, path in files.items()})

    def write(self, name: str, data: bytes) -> None:
        """Write a file under another name, and rename it."""
        with self.scratch() as folder:
            path = folder / "file"
            path.write_bytes(data)
            self.publish({name: path})

    def read(self, name: str) -> bytes:
        """Read a file."""
        return (Path(self.root) / name).read_bytes()

    def adopt(self, name: str, final: str) -> None:
        """Link a file, or copy it where the disk has no links."""
        source, target = Path(self.root) / name, Path(self.root) / final
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)
            sync(target)

    def names(self) -> dict[str, int]:
        """List the folder of unfinished work."""
        work = Path(self.root) / WORK
        if not work.is_dir():
            return {}
        return {f"{WORK}/{each.name}": each.stat().st_size for each in work.iterdir() if each.is_file()}

    def local(self, name: str) -> Path:
        """Return the file itself."""
        return Path(self.root) / name

    def clear(self) -> None:
        """Delete the folder of unfinished work."""
        work = Path(self.root) / WORK
        if work.is_dir():
            shutil.rmtree(work)
