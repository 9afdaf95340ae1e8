"""Where workers leave what they made, if that is an object store: nothing is renamed there, objects appear whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from maskprep.build.work_folder import WORK
from maskprep.storage import Remote


@dataclass(frozen=True, slots=True)
class RemoteWorkFolder:
    """Objects below a URL. ``here`` is a folder of the driver's for copies of them; workers need none."""

    url: str
    here: str = field(default="", compare=False)

    @property
    def _remote(self) -> Remote:
        return Remote(self.url)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a temporary folder of this machine."""
        with tempfile.TemporaryDirectory(prefix="maskprep-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def publish(self, files: Mapping[str, Path]) -> None:
        """Upload files."""
        for name, path in files.items():
            self._remote.upload(path, name)

    def write(self, name: str, data: bytes) -> None:
        """Upload bytes."""
        self._remote.write(name, data)

    def read(self, name: str) -> bytes:
        """Download bytes."""
        return self._remote.read(name)

    def adopt(self, name: str, final: str) -> None:
        """Have the store copy an object."""
        self._remote.copy(name, final)

    def names(self) -> dict[str, int]:
        """List the objects of unfinished work."""
        return self._remote.list(WORK)

    def local(self, name: str) -> Path:
        """Download an object, once."""
        path = Path(self.here) / name.rpartition("/")[2]
        if not path.exists():
            self._remote.download(name, path)
        return path

    def clear(self) -> None:
        """Delete the objects of unfinished work."""
        self._remote.clear(WORK)
