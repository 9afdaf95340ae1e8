"""One "folder" of an object store: whole objects in, whole objects out."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskprep.errors import UsageError
from maskprep.storage.connect import connect
from maskprep.storage.remote_file import RemoteFile
from maskprep.storage.store_errors import store_errors

_BLOCK = 8 << 20  # bytes downloaded at a time
_AT_ONCE = 8  # requests that delete


@dataclass(frozen=True)
class Remote:
    """The objects below a URL, by their names relative to it. Small and picklable: it holds no connection.

    All methods raise UsageError where the store refuses (no such bucket, no access), and BuildError where it fails or
    cannot be reached after several tries.
    """

    url: str

    def __post_init__(self) -> None:
        """Take the slash off the end of the URL."""
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def read(self, name: str) -> bytes:
        """Return the bytes of an object. Raises FileNotFoundError where there is none."""
        with RemoteFile(f"{self.url}/{name}") as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """Write an object, in the place of what has that name."""
        self._put(name, data)

    def upload(self, local: Path, name: str) -> None:
        """Write an object of the bytes of a finished file, which is not read into memory."""
        import pyarrow as pa  # noqa: PLC0415 - see the package

        self._put(name, pa.memory_map(str(local)).read_buffer() if local.stat().st_size else b"")

    def download(self, name: str, local: Path) -> None:
        """Write the bytes of an object to a file. Raises FileNotFoundError where there is no such object."""
        with RemoteFile(f"{self.url}/{name}") as remote, local.open("wb") as file:
            try:
                while block := remote.read(_BLOCK):
                    file.write(block)
            except BaseException:
                local.unlink()
                raise

    def list(self, prefix: str = "") -> dict[str, int]:
        """Return the sizes (bytes) of all objects below, by name; ``prefix`` is a folder among them."""
        from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 - see the package

        files, root = self._at("")
        below = f"{root}/{prefix.rstrip('/')}".rstrip("/")
        with store_errors(self.url):
            found = files.get_file_info(FileSelector(below, recursive=True, allow_not_found=True))
            if not found and files.get_file_info(root.partition("/")[0]).type == FileType.NotFound:
                raise self._no_bucket()
        return {each.path[len(root) + 1 :]: each.size for each in found if each.type == FileType.File}

    def copy(self, name: str, to: str) -> None:
        """Have the store copy an object. Raises FileNotFoundError where there is no such object."""
        files, source = self._at(name)
        with store_errors(f"{self.url}/{to}"):
            files.copy_file(source, self._at(to)[1])

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._delete, names))

    def clear(self, folder: str) -> None:
        """Delete all objects in a folder, many with each request."""
        files, path = self._at(folder)
        with store_errors(f"{self.url}/{folder}"):
            files.delete_dir_contents(path, missing_dir_ok=True)

    def _delete(self, name: str) -> None:
        files, path = self._at(name)
        try:
            with store_errors(f"{self.url}/{name}"):
                files.delete_file(path)
        except FileNotFoundError:
            return

    def _put(self, name: str, data: Any) -> None:
        """Write an object in one go, out of reach of signals.

        pyarrow completes an upload when its stream is closed, be it by an exception, and cannot abort one: an
        interrupt between opening and writing would leave an object that is empty. Only the main thread is interrupted.
        A write that the store fails is not completed.
        """
        files, path = connect(f"{self.url}/{name}", len(data))

        def put() -> None:
            with files.open_output_stream(path, compression=None) as stream:
                stream.write(data)

        try:
            with store_errors(f"{self.url}/{name}"), ThreadPoolExecutor(1) as thread:
                thread.submit(put).result()
        except FileNotFoundError:
            raise self._no_bucket() from None

    def _no_bucket(self) -> UsageError:
        return UsageError(f"{self.url}: there is no such bucket", "Check its name, and AWS_ENDPOINT_URL.")

    def _at(self, name: str) -> tuple[Any, str]:
        files, root = connect(self.url)
        return files, f"{root}/{name}" if name else root
