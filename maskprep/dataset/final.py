"""Writing shards as a trainer reads them: its columns in its container, and companions for what it cannot carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from maskprep.conversation import Where
from maskprep.dataset.containers import SUFFIXES, partial_names, writer_of
from maskprep.dataset.files import Receipt
from maskprep.dataset.profiles import Container, Profile
from maskprep.labelled import IGNORED
from maskprep.storage.atomic import rename


class FinalWriter:
    """Writes record batches of maskprep's rows into numbered shards of about ``shard_bytes`` each, in a profile's form.

    Args:
        folder: where the shards go; it exists.
        companions: where the columns go that the trainer cannot carry; it exists if the profile has any.
        profile: decides on columns and container.
        shard_bytes: when a shard is large enough.

    The shards have their final names only after ``finish``, which alone knows how many there are.
    """

    def __init__(self, folder: Path, companions: Path, profile: Profile, shard_bytes: int) -> None:
        self._folder, self._companions, self._profile, self._shard_bytes = folder, companions, profile, shard_bytes
        self._receipts: list[Receipt] = []
        self._open: _Open | None = None

    def write(self, batch: Any) -> None:
        """Add a record batch of maskprep's rows; all batches have one schema."""
        if self._open is None:
            number = len(self._receipts)
            main, companion = self._profile.split(batch)
            self._open = _Open(self._path(self._folder, number), main.schema, self._profile.container)
            if companion is not None:
                self._open.beside = _Open(self._path(self._companions, number), companion.schema)
        self._open.write(batch, *self._profile.split(batch))
        if self._open.size >= self._shard_bytes and not self._profile.one_file:
            self._end()

    def finish(self) -> list[Receipt]:
        """Close the last shard, give all shards their final names, and return their receipts."""
        self._end()
        total = len(self._receipts)
        container = self._profile.container
        named, files = [], dict[Path, Path]()
        for number, receipt in enumerate(self._receipts):
            name = f"data-{number:05d}-of-{total:05d}"
            written = partial_names(container, self._path(self._folder, number))
            files |= dict(
                zip(written, (self._folder / f"{name}.{suffix}" for suffix in SUFFIXES[container]), strict=True)
            )
            if receipt.companion is not None:
                files[self._path(self._companions, number)] = self._companions / f"{name}.arrow"
                receipt = replace(receipt, companion=f"{name}.arrow")  # noqa: PLW2901 - the same one, with its names
            named.append(replace(receipt, file=f"{name}.{SUFFIXES[container][0]}"))
        rename(files)
        return named

    def abandon(self) -> None:
        """Close the open shard without finishing it, so that its files can be deleted."""
        if self._open is not None:
            self._open.abandon()

    def _end(self) -> None:
        if self._open is not None:
            self._receipts.append(self._open.close())
            self._open = None

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"data-{number:05d}.partial"


class _Open:
    """One shard that is being written: its files, and the companion beside it."""

    def __init__(self, path: Path, schema: Any, container: Container = "arrow") -> None:
        self.beside: _Open | None = None
        self._writer = writer_of(container, path, schema)
        self._rows = self._documents = self._tokens = self._trained = 0
        self._first: Where | None = None
        self._last: Where | None = None

    @property
    def size(self) -> int:
        return self._writer.file.size

    def write(self, batch: Any, main: Any, companion: Any | None) -> None:
        self.put(main)
        if self.beside is not None:
            self.beside.put(companion)
        packed = "seq_lengths" in batch.schema.names
        # Flattened, a column of lists of structs is a column of structs; one of structs would be a list of columns.
        origins = batch.column("origin").flatten() if packed else batch.column("origin")
        labels = batch.column("labels").flatten().to_numpy()
        self._rows += batch.num_rows
        self._documents += len(origins)
        self._tokens += len(labels)
        self._trained += int((labels != IGNORED).sum())
        if len(origins):
            self._first = self._first or _where(origins[0])
            self._last = _where(origins[-1])

    def put(self, batch: Any) -> None:
        if batch.num_rows:
            self._writer.write_batch(batch)

    def close(self) -> Receipt:
        others, file = self._writer.close(), self._writer.file
        counts = self._rows, self._tokens, self._trained
        places = self._first, self._last
        receipt = Receipt("", *counts, file.size, file.digest(), *places, self._documents, beside=others)
        if self.beside is None:
            return receipt
        beside = self.beside.close()
        return replace(receipt, companion="", companion_bytes=beside.bytes, companion_sha256=beside.sha256)

    def abandon(self) -> None:
        self._writer.abandon()
        if self.beside is not None:
            self.beside.abandon()


def _where(origin: Any) -> Where:
    place = origin.as_py()
    return Where(place["file"], place["line"], -1)
