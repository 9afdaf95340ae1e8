"""Opening somebody else's tokenized data: files and folders of rows, a build of ours in any profile, flat arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from maskprep.dataset.containers import read_arrays
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.formats.strict_json import loads
from maskprep.judge.documents import Document, NoTokensError, documents_of, mask_columns, placed
from maskprep.sources import find, open_source

_MANIFEST = ("maskprep", "manifest.json")
_APART = {"spans", "maskprep", "tokenizer"}
"""The folders of a build that hold none of the rows that a trainer reads."""


@dataclass(slots=True)
class Data:
    """What is read of somebody else's data.

    ``names`` are its files, ``masks`` the columns that told what is trained, ``rows`` counts those that were read,
    ``unreadable`` why some of them are no documents: a sentence, with the number of rows. ``whole``: all was read.
    """

    names: list[str]
    masks: set[str] = field(default_factory=set)
    rows: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    whole: bool = True

    def documents(self, most: int | None, max_bytes: int) -> Iterator[Document]:
        """Yield the documents of the first ``most`` rows (None: of all). Raises ``BuildError`` where a file ends early.

        A row that cannot be read is counted, and the first such row of each kind named.
        """
        for file, number, row in islice(self._rows(max_bytes), most):
            self.rows += 1
            try:
                if isinstance(row, NoTokensError):
                    raise row
                found = list(placed(documents_of(row), file, number))
            except NoTokensError as error:
                said = f"{error.message} (first in {file}:{number})"
                known = next((each for each in self.unreadable if each.startswith(error.message + " (")), said)
                self.unreadable[known] = self.unreadable.get(known, 0) + 1
                continue
            self.masks.update(mask_columns(row))
            yield from found
        self.whole = most is None or self.rows < most

    def _rows(self, max_bytes: int) -> Iterator[tuple[str, int, Any]]:
        for name in self.names:
            yield from _array_rows(Path(name)) if name.endswith(".npy") else _json_rows(name, max_bytes)


def open_data(path: str) -> Data:
    """Return the files of somebody else's data.

    Args:
        path: a file, a glob, a folder (of several splits ``train``, unless ``folder:split`` names another), or a build.

    Raises:
        UsageError: there is nothing, or nothing that can be read.
    """
    folder = Path(path)
    if folder.is_dir():
        if folder.joinpath(*_MANIFEST).is_file():
            return Data(_shards(folder))
        arrays = _arrays(folder)
        if arrays:
            return Data(arrays)
    if folder.suffix == ".npy" and folder.is_file():
        return Data([path])
    return Data(list(find(path).names))


def _shards(folder: Path) -> list[str]:
    """Return the shards of a build, as the trainer of its profile reads them."""
    found = [
        str(path)
        for path in sorted(folder.rglob("data-*-of-*.*"))
        if path.suffix in {".arrow", ".parquet"} and not _APART & set(path.relative_to(folder).parts)
    ]
    found += _arrays(folder)
    if not found:
        raise UsageError(f"{folder}: no rows are in this build", "copy the folder again, or build it again")
    return found


def _arrays(folder: Path) -> list[str]:
    """Return the flat arrays of ids in a folder: those that have a mask beside them."""
    return [str(path) for path in sorted(folder.rglob("*.npy")) if path.with_suffix(".mask.npy").is_file()]


def _array_rows(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    try:
        batches = list(read_arrays(path))
    except BuildError as error:
        raise BuildError(
            f"{path} {error.message}", "copy the files again: ids, mask and bounds belong together"
        ) from error
    rows = chain.from_iterable(batch.to_pylist() for batch in batches)
    yield from ((str(path), number, row) for number, row in enumerate(rows, 1))


def _json_rows(name: str, max_bytes: int) -> Iterator[tuple[str, int, Any]]:
    for line in open_source(name, max_bytes, tokenized=True).lines:
        row: Any
        try:
            row = line.fault or loads(line.data)
        except RowError as error:
            row = error
        if isinstance(row, RowError):
            row = NoTokensError(row.message, row.hint)
        elif not isinstance(row, dict):
            row = NoTokensError("the row is no JSON object")
        yield line.where.file, line.where.line, row
