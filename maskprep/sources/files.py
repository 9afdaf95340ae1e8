"""Files by name, on a disk or in an object store: what is there, whether it changes, and its bytes.

An object has no folder around it: the name of a folder in a store ends with a slash, other names are of objects.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskprep.errors import BuildError, UsageError
from maskprep.storage import Remote, RemoteFile, is_remote

Facts = tuple[int | str, ...]
"""What changes when a file is written to; the size (bytes) comes first."""


def facts_of(name: str) -> Facts | None:
    """Return what changes when a file is replaced or written to; None of what is no file."""
    if is_remote(name):
        return state_of(name)
    try:
        facts = Path(name).stat()
    except OSError:
        return None
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino) if stat.S_ISREG(facts.st_mode) else None


def state_of(name: str) -> Facts | None:
    """Return the size of a file and its time, which another machine sees, too; None where there is no such file."""
    try:
        if is_remote(name):
            with RemoteFile(name) as file:
                return file.facts()
        facts = Path(name).stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


class Unchanged:
    """Notes the facts of a file, or takes those noted earlier. Calling it raises BuildError once they are others."""

    def __init__(self, name: str, noted: Facts | None = None) -> None:
        """Note the facts of the file now, unless they were ``noted`` earlier."""
        self._name, self._remote = name, is_remote(name)
        self.facts: Facts = noted or state_of(name) or (-1,)
        self.size = int(self.facts[0])

    def __call__(self) -> None:
        """Raise BuildError where the facts of the file are no longer those noted."""
        if (state_of(self._name) or (-1,)) != self.facts:
            message = f"{self._name}: the file was changed while it was read"
            raise BuildError(message, "Let whoever writes it finish, or take a copy, then build again.")

    def before_touching(self) -> None:
        """Look at the file's facts again where that costs nothing, and might cost the program if it were left out.

        What is mapped into memory and has been cut off meanwhile would end it when it is touched.
        """
        if not self._remote:
            self()


def size_of(name: str) -> int | None:
    """Return the bytes of a regular file, None of a pipe or a device. Raises UsageError where there is nothing."""
    try:
        if is_remote(name):
            with RemoteFile(name) as file:
                return file.size
        facts = Path(name).stat()
    except OSError as error:
        raise unreadable(name, error) from error
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def is_folder(name: str) -> bool:
    """Tell whether a name is that of a folder."""
    return name.endswith("/") if is_remote(name) else Path(name).is_dir()


def within(folder: str, name: str) -> str:
    """Return the name of what lies in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def sizes_within(folder: str) -> dict[str, int]:
    """Return the sizes (bytes) of the files that lie directly in a folder, by name."""
    if is_remote(folder):
        return {name: size for name, size in Remote(folder).list().items() if "/" not in name}
    return {entry.name: entry.stat().st_size for entry in Path(folder).iterdir() if entry.is_file()}


def check_regular(name: str) -> None:
    """Refuse what is no regular file: a pipe or a device may never end, and cannot be read twice. Raises UsageError."""
    if is_remote(name):
        return  # there is nothing else in a store
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        raise unreadable(name, error) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        hint = "A source is opened more than once: pipe the rows in and name them `-`, or put them into a file."
        raise UsageError(f"cannot read {name}: it is {what}, not a file", hint)


def open_file(name: str) -> io.RawIOBase:
    """Open a regular file for reading, without a buffer. Raises UsageError."""
    check_regular(name)
    try:
        return RemoteFile(name) if is_remote(name) else open(name, "rb", buffering=0, opener=_without_waiting)
    except OSError as error:
        raise unreadable(name, error) from error


@contextmanager
def stretch(file: io.RawIOBase, start: int, end: int) -> Iterator[io.RawIOBase]:
    """Give bytes ``start:end`` of an opened file, to be read once, as fast as they come; more may follow them."""
    if isinstance(file, RemoteFile):
        with file.ahead(start, end) as forward:
            yield forward
    else:
        file.seek(start)
        yield file


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise a read that fails as a BuildError; ``what`` says which one."""
    try:
        yield
    except OSError as error:
        hint = "Check the disk or the network share that holds it, then build again."
        raise BuildError(f"{what}: {error.strerror or error}", hint) from error


def unreadable(name: str, error: OSError) -> UsageError:
    """Return the error that names a file which cannot be opened, and why."""
    if is_remote(name) and isinstance(error, FileNotFoundError):
        return UsageError(f"cannot read {name}: there is no such object", "Check the name, and AWS_ENDPOINT_URL.")
    return UsageError(f"cannot read {name}: {error.strerror or error}", "Check the path and its permissions.")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file that may have become a pipe since it was looked at: that would wait for somebody to write."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
