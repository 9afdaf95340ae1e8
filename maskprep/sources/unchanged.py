"""Whether a file is still what it was: its size and the time that it was written at."""

from __future__ import annotations

from pathlib import Path

from maskprep.errors import BuildError

Facts = tuple[int, int]
"""Size and time; what lies on another disk of the same network has them, too, an inode it may not have."""


class Unchanged:
    """Notes the facts of a file, or takes those noted earlier. Calling it raises BuildError once they are others.

    What is mapped into memory and has been cut off meanwhile would end the program when it is touched.
    """

    def __init__(self, path: str | Path, noted: Facts | None = None) -> None:
        """Note them now, unless given."""
        self._path = Path(path)
        self.facts = noted or state_of(self._path)
        self.size = self.facts[0]

    def __call__(self) -> None:
        """Look again."""
        if state_of(self._path) != self.facts:
            message = f"{self._path}: the file was changed while it was read"
            raise BuildError(message, "Let whoever writes it finish, or take a copy, then build again.")


def state_of(path: Path) -> Facts:
    """Return the facts of a file; (-1, 0) where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return -1, 0
    return facts.st_size, facts.st_mtime_ns
