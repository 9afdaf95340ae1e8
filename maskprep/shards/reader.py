"""A finished data set read back: rows by number, the manifest, rejects and findings."""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maskprep.conversation import Where
from maskprep.errors import BuildError, UsageError
from maskprep.labels import IGNORED, Labelled, Span
from maskprep.shards.schema import SCHEMA, ShardRow

_DESCRIBED = ("maskprep/manifest.json",)
_NAME = "data-{:05d}-of-{:05d}.arrow"


class StoredDataSet:
    """The data set in an output folder. Shards are mapped into memory when a row of theirs is first read.

    Args:
        path: the folder.
        committed: False opens a build that lacks nothing but its ``state.json``.

    Raises:
        UsageError: the folder holds no finished build of maskprep.
    """

    def __init__(self, path: str, *, committed: bool = True) -> None:
        """Open the folder; see the class."""
        self.path = Path(path)
        self.manifest = self._read_manifest(("state.json", *_DESCRIBED) if committed else _DESCRIBED)
        self._counts = [int(shard["rows"]) for shard in self.manifest["shards"]]
        self._ends = list(accumulate(self._counts))
        self._tables: dict[int, pa.Table] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._ends[-1] if self._ends else 0

    @property
    def tokenizer(self) -> str:
        """The folder of the tokenizer as it was used."""
        return str(self.path / "tokenizer")

    def row(self, number: int) -> ShardRow:
        """Return row ``number``, from 0. Its byte offset in the source is not stored: it is -1."""
        shard = bisect.bisect_right(self._ends, number)
        record = self._table(shard).slice(number - self._ends[shard] + self._counts[shard], 1)
        spans = (Span(*(span[field] for field in Span._fields)) for span in record["spans"][0].as_py())
        ids, labels = (record[name].combine_chunks().flatten().to_numpy() for name in ("input_ids", "labels"))
        origin = record["origin"][0].as_py()
        labelled = Labelled(ids.astype(np.int64), labels.astype(np.int64), tuple(spans))
        return ShardRow(labelled, Where(origin["file"], origin["line"], -1), origin["sequence"])

    def origins(self) -> Iterator[tuple[str, int, int]]:
        """Yield file, line and sequence of every row, in order."""
        for shard in range(len(self._counts)):
            origin = self._table(shard)["origin"].combine_chunks()
            yield from zip(*(origin.field(name).to_pylist() for name in ("file", "line", "sequence")), strict=True)

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of tokens and of trained tokens of every row (int64, one item a row)."""
        tokens, trained = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for shard in range(len(self._counts)):
            for chunk in self._table(shard)["labels"].chunks:
                edges = chunk.offsets.to_numpy()
                # One more than the labels, so that an empty last row still has an edge to count from.
                counts = np.concatenate(([0], np.cumsum(chunk.values.to_numpy() != IGNORED)))
                tokens.append(np.diff(edges))
                trained.append(np.diff(counts[edges]))
        return np.concatenate(tokens), np.concatenate(trained)

    def trained_turns(self) -> Iterator[int]:
        """Yield for every row how many messages have a trained token in it."""
        for shard in range(len(self._counts)):
            for chunk in self._table(shard)["spans"].chunks:
                edges = chunk.offsets.to_numpy().tolist()
                messages = chunk.values.field("message").to_numpy()
                trained = chunk.values.field("trained").to_numpy(zero_copy_only=False)
                for start, stop in pairwise(edges):
                    yield len(np.unique(messages[start:stop][trained[start:stop]]))

    def rejects(self) -> Iterator[dict[str, Any]]:
        """Yield the rejected rows, as ``rejects.jsonl`` has them."""
        yield from self._lines("rejects.jsonl")

    def findings(self) -> Iterator[dict[str, Any]]:
        """Yield the findings, as ``findings.jsonl`` has them."""
        yield from self._lines("findings.jsonl")

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        with (self.path / "maskprep" / name).open("rb") as file:
            for line in file:
                yield json.loads(line)

    def _table(self, shard: int) -> pa.Table:
        if shard not in self._tables:
            name = _NAME.format(shard, len(self._counts))
            try:
                table = pa.ipc.open_stream(pa.memory_map(str(self.path / name))).read_all()
            except (OSError, pa.ArrowInvalid) as error:
                raise BuildError(f"{self.path / name}: cannot be read: {error}", "build the data set again") from error
            if table.schema != SCHEMA or len(table) != self._counts[shard]:
                raise BuildError(f"{self.path / name}: is not the shard that the manifest tells of", "build it again")
            self._tables[shard] = table
        return self._tables[shard]

    def _read_manifest(self, wanted: Sequence[str]) -> dict[str, Any]:
        missing = [name for name in wanted if not (self.path / name).is_file()]
        if missing:
            msg = f"{str(self.path)!r} is no finished build of maskprep: it lacks {' and '.join(missing)}"
            raise UsageError(msg, "give the --output folder of a build")
        try:
            manifest = json.loads((self.path / "maskprep" / "manifest.json").read_bytes())
            shards = manifest["shards"]
            sound = all(type(shard["rows"]) is int and shard["rows"] >= 0 for shard in shards)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{str(self.path)!r}: the manifest cannot be read: {error}", "build it again") from error
        if not sound or not shards:
            raise UsageError(f"{str(self.path)!r}: the manifest counts no rows", "build it again")
        facts: dict[str, Any] = manifest
        return facts
