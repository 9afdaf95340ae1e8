"""One finished shard, in whatever form its trainer reads it, read back as maskprep's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maskprep.dataset.containers import SUFFIXES, beside, read_arrays, read_parquet
from maskprep.dataset.pack_rows import unpacked_batch
from maskprep.dataset.profiles import PROFILES, Container, Profile
from maskprep.dataset.schema import Layout
from maskprep.errors import BuildError, UsageError, first_line

COMPANIONS = "spans"
"""The folder beside the shards of the columns that a trainer cannot carry."""


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A shard: the file that the trainer reads, its ``companion`` if it has one, and the profile that made both."""

    path: Path
    companion: Path | None
    profile: Profile

    @property
    def beside(self) -> list[Path]:
        """The other files of the shard, where it has several."""
        return beside(self.profile.container, self.path)

    def rows(self) -> Iterator[Any]:
        """Yield the shard's record batches in maskprep's columns: one document a row, or packed.

        Raises:
            BuildError: the file is no such shard, or it is damaged; the message says how.
        """
        main = _READERS[self.profile.container](self.path)
        if self.companion is None:
            for batch in main:
                yield _ours(batch)
            return
        rest = read_stream(self.companion)
        while True:
            one, two = next(main, None), next(rest, None)
            if one is None and two is None:
                return
            if one is None or two is None or one.num_rows != two.num_rows:
                raise BuildError(f"has other rows than {self.companion.parent.name}/{self.companion.name}")
            try:
                restored = _ours(self.profile.restore(one, two))
                self._compare(one, restored)
                yield restored
            except (KeyError, pa.ArrowException, UsageError) as error:
                raise BuildError(f"cannot be read as {self.profile.name}: {first_line(error)}") from error

    def _compare(self, read: Any, restored: Any) -> None:
        """Refuse the trainer's columns where the restored rows would not give them again: some say the same twice."""
        made, _ = self.profile.split(restored)
        for name in made.schema.names:
            if not made.column(name).equals(read.column(name).cast(made.schema.field(name).type)):
                raise BuildError(f"its column {name} does not fit its other columns, or {COMPANIONS}")

    def pack_sizes(self) -> list[int]:
        """Return how many documents each row has, an empty list where rows are not packed. Raises as ``rows`` does."""
        sizes: list[int] = []
        for batch in read_stream(self.companion or self.path):
            origin = batch.column("origin")
            if not pa.types.is_list(origin.type):
                return []
            sizes += np.diff(origin.offsets.to_numpy()).tolist()
        return sizes

    def documents(self) -> Iterator[Any]:
        """Yield the shard's record batches with one document a row, packed or not. Raises as ``rows`` does."""
        return map(one_a_row, self.rows())


def one_a_row(batch: Any) -> Any:
    """Return a record batch with one document a row, made of a batch that is packed or not.

    Raises:
        BuildError: the documents do not make up the rows.
    """
    try:
        return unpacked_batch(batch) if "seq_lengths" in batch.schema.names else batch
    except (ValueError, IndexError) as error:
        raise BuildError(f"holds packed rows that do not hang together: {error}") from error


def profile_of(manifest: Mapping[str, Any]) -> Profile:
    """Return the profile that a data set was written with. Raises ``KeyError`` where there is none of that name."""
    return PROFILES[str(manifest["config"]["profile"])]


def stored_shards(root: Path, manifest: Mapping[str, Any]) -> list[StoredShard]:
    """Return the shards of a data set, found by their numbers alone: the names in a manifest may be anything."""
    profile = profile_of(manifest)
    splits = [str(shard.get("file", "")).rpartition("/")[0] for shard in manifest["shards"]]
    totals, numbers = Counter(splits), Counter[str]()
    found = []
    for split in splits:
        name = f"data-{numbers[split]:05d}-of-{totals[split]:05d}"
        companion = root / COMPANIONS / split / f"{name}.arrow" if profile.companion else None
        found.append(StoredShard(root / split / f"{name}{ending(profile)}", companion, profile))
        numbers[split] += 1
    return found


def ending(profile: Profile) -> str:
    """Return the ending of the file names of a profile's shards, of the first file where they have several."""
    return f".{SUFFIXES[profile.container][0]}"


def _ours(batch: Any) -> Any:
    if Layout.of(batch.schema) is None:
        raise BuildError(f"has another schema: {_difference(batch.schema)}")
    return batch


def read_stream(path: Path) -> Iterator[Any]:
    """Yield the record batches of an Arrow stream file, at least one: an empty one where it has none.

    Raises:
        BuildError: the file is no Arrow stream, or it ends early.
    """
    try:
        with pa.memory_map(str(path)) as source:
            stream = pa.ipc.open_stream(source)
            schema = pa.schema(
                zip(stream.schema.names, stream.schema.types, strict=True)
            )  # fails where a name is no text
            none = True
            for batch in stream:
                none = False
                yield batch
            if none:
                yield pa.RecordBatch.from_pylist([], schema=schema)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise BuildError(f"cannot be read as an Arrow stream: {str(error).splitlines()[0]}") from error


def _difference(schema: Any) -> str:
    wanted = Layout.told(schema.names).schema
    missing, foreign = set(wanted.names) - set(schema.names), set(schema.names) - set(wanted.names)
    shared = set(wanted.names) & set(schema.names)
    other = [name for name in shared if schema.field(name).type != wanted.field(name).type]
    said = [
        f"{what} {', '.join(sorted(names))}"
        for what, names in (("it lacks", missing), ("it has besides", foreign), ("of another type:", other))
        if names
    ]
    return "; ".join(said) or "the same columns in another order"


_READERS: dict[Container, Callable[[Path], Iterator[Any]]] = {
    "arrow": read_stream,
    "dict": read_stream,
    "parquet": read_parquet,
    "arrays": read_arrays,
}
