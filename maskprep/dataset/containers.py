"""The files of one shard, in each container that trainers read: how they are written, and read again.

    arrow, dict   data-00000-of-00001.arrow
    parquet       data-00000-of-00001.parquet
    arrays        data-00000-of-00001.npy        the ids of all rows, end to end, without a header (uint32)
                  data-00000-of-00001.mask.npy   whether each token is trained (one byte each)
                  data-00000-of-00001.csv.gz     where each row begins and ends: 0,17 ⏎ 17,42 ⏎ …

The first file of a shard is the one that its receipt names; the others stand beside it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.dataset.files import Beside, HashingFile
from maskprep.dataset.profiles.arrays import flat, lists
from maskprep.dataset.profiles.profile import Container
from maskprep.errors import BuildError

SUFFIXES: dict[Container, tuple[str, ...]] = {
    "arrow": ("arrow",),
    "dict": ("arrow",),
    "parquet": ("parquet",),
    "arrays": ("npy", "mask.npy", "csv.gz"),
}
"""How the names of a shard's files end."""

_ROWS = 1000  # of arrays that are read at a time


def writer_of(container: Container, path: Path, schema: Any) -> TableWriter | ArraysWriter:
    """Return what writes a shard; ``path`` is the temporary name of its first file."""
    return ArraysWriter(path) if container == "arrays" else TableWriter(path, schema, parquet=container == "parquet")


def partial_names(container: Container, path: Path) -> list[Path]:
    """Return the temporary names of all files of a shard, by that of its first."""
    return [path, *(path.with_name(f"{path.stem}.{suffix}.partial") for suffix in SUFFIXES[container][1:])]


def beside(container: Container, path: Path) -> list[Path]:
    """Return the other files of a shard, by the name of its first."""
    first, *others = SUFFIXES[container]
    return [path.with_name(path.name.removesuffix(first) + suffix) for suffix in others]


class TableWriter:
    """Writes the record batches of a shard into one file, of Arrow or Parquet."""

    def __init__(self, path: Path, schema: Any, *, parquet: bool) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - it takes a while to import

        self.file = HashingFile(path)
        self._writer = pq.ParquetWriter(self.file, schema) if parquet else pa.ipc.new_stream(self.file, schema)

    def write_batch(self, batch: Any) -> None:
        """Add a record batch."""
        self._writer.write_batch(batch)

    def close(self) -> tuple[Beside, ...]:
        """Finish the file, and return the receipts of the others: there are none."""
        self._writer.close()
        self.file.close()
        return ()

    def abandon(self) -> None:
        """Close the file without finishing it."""
        self.file.close()


class ArraysWriter:
    """Writes the record batches of a shard, of ids and masks, into flat arrays and a table of where rows begin."""

    def __init__(self, path: Path) -> None:
        self.file, self._mask, self._table = (HashingFile(name) for name in partial_names("arrays", path))
        # Neither name nor time of day, so that the same rows make the same bytes.
        self._bounds = gzip.GzipFile("", "wb", fileobj=self._table, mtime=0)
        self._at = 0

    def write_batch(self, batch: Any) -> None:
        """Add a record batch."""
        ids, edges = flat(batch.column("input_ids"))
        mask, _ = flat(batch.column("label_mask"))
        self.file.write(ids.astype(np.uint32).tobytes())
        self._mask.write(mask.astype(np.bool_).tobytes())
        limits = (edges + self._at).tolist()
        self._bounds.write("".join(f"{start},{end}\n" for start, end in pairwise(limits)).encode())
        self._at = limits[-1]

    def close(self) -> tuple[Beside, ...]:
        """Finish the files, and return the receipts of those beside the first."""
        self._bounds.close()
        for file in (self.file, self._mask, self._table):
            file.close()
        return tuple(Beside(file.size, file.digest()) for file in (self._mask, self._table))

    def abandon(self) -> None:
        """Close the files without finishing them."""
        for file in (self.file, self._mask, self._table):
            file.close()


def read_parquet(path: Path) -> Iterator[Any]:
    """Yield the record batches of a Parquet file, at least one. Raises ``BuildError`` where it is none."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - few shards are, and it takes a while to import

    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield pa.RecordBatch.from_struct_array(
                    pa.concat_arrays([batch.to_struct_array() for batch in file.read_row_group(number).to_batches()])
                )
            if not file.num_row_groups:
                yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
    except (OSError, pa.ArrowException) as error:
        raise BuildError(f"cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def read_arrays(path: Path) -> Iterator[Any]:
    """Yield the rows of flat arrays as record batches, at least one; their columns are ``input_ids``, ``label_mask``.

    Raises:
        BuildError: a file is missing or damaged, or they do not fit each other.
    """
    mask_path, table_path = beside("arrays", path)
    try:
        ids, mask = _mapped(path, np.uint32), _mapped(mask_path, np.uint8)
        with gzip.open(table_path, "rt", encoding="ascii") as table:
            text = table.read()
        bounds = np.loadtxt(io.StringIO(text), np.int64, delimiter=",", ndmin=2) if text else np.zeros((0, 2), np.int64)
    except (OSError, EOFError, ValueError) as error:
        raise BuildError(f"cannot be read as arrays: {str(error).splitlines()[0]}") from error
    edges = np.concatenate((np.zeros(1, np.int64), bounds[:, 1]))
    if not np.array_equal(edges[:-1], bounds[:, 0]) or not edges[-1] == len(ids) == len(mask):
        raise BuildError(f"has other rows than {table_path.name} and {mask_path.name}")
    for start in range(0, max(1, len(bounds)), _ROWS):
        own = edges[start : start + _ROWS + 1]
        inside = slice(own[0], own[-1])
        columns = (lists(ids[inside], own - own[0]), lists(mask[inside].astype(np.int8), own - own[0], pa.int8()))
        yield pa.RecordBatch.from_arrays(list(columns), names=["input_ids", "label_mask"])


def _mapped(path: Path, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.memmap(path, kind, "r") if path.stat().st_size else np.zeros(0, kind)
