"""An object as a file to read: any bytes of it, or all of them with several requests under way."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING, Any

from maskprep.storage.ahead import Ahead
from maskprep.storage.connect import connect
from maskprep.storage.store_errors import store_errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RemoteFile(io.RawIOBase):
    """An object that is read from any place; only the bytes that ``read`` asks for are transferred.

    Raises FileNotFoundError where there is no such object, UsageError where the store refuses, BuildError where it
    fails: here and in all methods.
    """

    def __init__(self, url: str) -> None:
        """Look up the object's size and version."""
        super().__init__()
        self.name = url
        files, path = connect(url)
        try:
            with store_errors(url):
                self._file: Any = files.open_input_file(path)
                self.size: int = self._file.size()
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "there is no such object", url) from None
        self._at = 0

    def facts(self) -> tuple[int, str, str]:
        """Return the facts that change when the object is written again: size, and the store's version and time."""
        with store_errors(self.name):
            said = {key.lower(): str(value, "utf-8") for key, value in (self._file.metadata() or {}).items()}
        return self.size, said.get("etag", ""), said.get("last-modified") or said.get("updated", "")

    def readable(self) -> bool:
        """Return True: the object can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: the object can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place in the object, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes: ``size`` of them, unless the object ends before."""
        left = max(0, self.size - self._at)
        data = self._range(self._at, min(left, left if size is None or size < 0 else size))
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        """Return all bytes from the present place to the object's end."""
        return self.read()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def ahead(self, start: int, end: int) -> Ahead:
        """Return bytes ``start:end`` as a file to be read once, with requests under way."""
        return Ahead(self._range, start, min(end, self.size))

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._file.close()
        super().close()

    def _range(self, start: int, size: int) -> bytes:
        if not size:
            return b""
        with store_errors(self.name):
            data: bytes = self._file.read_at(size, start)
        return data
