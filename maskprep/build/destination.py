"""Where a data set goes: a folder of this machine, or one of an object store, which is put together here first."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from maskprep.build.remote_work_folder import RemoteWorkFolder
from maskprep.build.work_folder import WORK, LocalWorkFolder, WorkFolder
from maskprep.config import Config
from maskprep.dataset.names import MARKS, foreign, is_ours
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.profiles import PROFILES
from maskprep.errors import UsageError
from maskprep.storage import Remote, is_remote


class Destination(Protocol):
    """A place for a data set. ``output`` is the folder in which it is put together, ``place`` that of the chunks."""

    name: str
    output: OutputFolder
    place: WorkFolder

    def check(self, *, overwrite: bool) -> bool:
        """Refuse what must not be written to, and tell whether there is an unfinished build to go on with."""

    def held(self) -> AbstractContextManager[None]:
        """Keep other builds out for the time of the block, as far as that can be done."""

    def claim(self, *, resume: bool) -> None:
        """Make room: what is there is no data set from now on. With ``resume`` unfinished work is kept."""

    def deliver(self) -> None:
        """Bring the committed data set to where it goes, the commit last; then delete the unfinished work."""

    def abandon(self) -> None:
        """Take away everything but the rejects."""


@contextmanager
def destination(config: Config) -> Iterator[Destination]:
    """Open what the configuration names as its output, which is not None."""
    name = str(config.output)
    if not is_remote(name):
        yield Folder(name, config)
        return
    with tempfile.TemporaryDirectory(prefix="maskprep-", ignore_cleanup_errors=True) as here:
        yield Bucket(name.rstrip("/"), config, Path(here))


def _folder(path: str, config: Config) -> OutputFolder:
    return OutputFolder(path, divided=config.split > 0, profile=PROFILES[config.profile])


class Folder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, name: str, config: Config) -> None:
        """Touch nothing yet."""
        self.name = name
        self.output = _folder(name, config)
        self.place: WorkFolder = LocalWorkFolder(name)

    def check(self, *, overwrite: bool) -> bool:
        """See ``Destination``. Work that was left beside a finished data set is deleted."""
        if self.output.finished and not foreign(self.output.path):
            self.place.clear()
        return self.output.check(overwrite=overwrite, resume=True)

    def held(self) -> AbstractContextManager[None]:
        """See ``Destination``."""
        return self.output.held()

    def claim(self, *, resume: bool) -> None:
        """See ``Destination``."""
        self.output.claim(resume=resume)

    def deliver(self) -> None:
        """See ``Destination``: it is there."""
        self.place.clear()

    def abandon(self) -> None:
        """See ``Destination``."""
        self.output.abandon()


class Bucket:
    """A folder of an object store. Nothing there can be locked: two builds at once are the user's to avoid."""

    def __init__(self, name: str, config: Config, here: Path) -> None:
        """Ask for nothing yet; ``here`` is an empty folder of this machine."""
        self.name = name
        self.output = _folder(str(here / "output"), config)
        (here / "copies").mkdir()
        self.place: WorkFolder = RemoteWorkFolder(name, str(here / "copies"))
        self._remote = Remote(name)

    def check(self, *, overwrite: bool) -> bool:
        """See ``Destination``."""
        names = self._remote.list()
        foreign = sorted(name for name in names if not is_ours(name))
        if foreign:
            msg = f"the output {self.name!r} holds what maskprep did not write: {', '.join(foreign[:5])}"
            raise UsageError(msg, "give another place to --output; --overwrite does not delete foreign objects")
        finished = any(mark in names for mark in MARKS)
        if not overwrite and not finished and f"{WORK}/plan.json" in names:
            return True
        if overwrite or not any(not name.startswith("maskprep/") for name in names):
            return False
        held = "a data set" if finished else "an unfinished build"
        msg = f"the output {self.name!r} already holds {held}"
        raise UsageError(msg, "give --overwrite to replace it, or another place to --output")

    @contextmanager
    def held(self) -> Iterator[None]:
        """See ``Destination``."""
        yield

    def claim(self, *, resume: bool) -> None:
        """See ``Destination``."""
        names = self._remote.list()
        self._remote.delete(mark for mark in MARKS if mark in names)
        self._remote.delete(
            name for name in names if name not in MARKS and not (resume and name.startswith(f"{WORK}/"))
        )
        if self.output.path.exists():
            shutil.rmtree(self.output.path)
        self.output.claim()

    def deliver(self) -> None:
        """See ``Destination``."""
        root = self.output.path
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        names = {str(path.relative_to(root).as_posix()): path for path in files}
        for name in sorted(names, key=lambda name: (name in MARKS, name)):
            if not name.startswith(f"{WORK}/"):
                self._remote.upload(names[name], name)
        self.place.clear()

    def abandon(self) -> None:
        """See ``Destination``."""
        names = self._remote.list()
        if self.output.rejects.exists():
            self._remote.upload(self.output.rejects, "maskprep/rejects.jsonl")
        self._remote.delete(name for name in names if name != "maskprep/rejects.jsonl")
