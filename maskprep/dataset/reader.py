"""A finished data set read back: rows by number, the manifest, rejects and findings."""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from maskprep.conversation import Where
from maskprep.dataset import trees
from maskprep.dataset.inside import check_inside
from maskprep.dataset.names import MARKS, SPLITS
from maskprep.dataset.schema import OPTIONAL, VISIBLE, ShardRow
from maskprep.dataset.stored import profile_of, stored_shards
from maskprep.errors import BuildError, UsageError, first_line
from maskprep.labelled import IGNORED, Labelled, Span

FORMAT_VERSION = 1
"""What the manifest says of how a data set is laid out."""

_MANIFEST = "maskprep/manifest.json"


class StoredDataSet:
    """The data set in an output folder. Shards are mapped into memory when a row of theirs is first read.

    The folder of a divided data set gives the rows of all splits, one after the other; a split's folder gives its own.

    Args:
        path: the folder.
        committed: False opens a build that lacks nothing but its ``state.json``.

    Raises:
        UsageError: the folder holds no finished build of maskprep.
    """

    def __init__(self, path: str, *, committed: bool = True) -> None:
        self.path = Path(path)
        own = self.path.name if holds_split(self.path) else None
        self.root = self.path.parent if own else self.path
        self.whole = self._read_manifest(committed=committed)
        check_inside(self.root)
        self.manifest = _of_split(self.whole, own) if own else self.whole
        self._counts = [int(shard["documents"]) for shard in self.manifest["shards"]]
        self._ends = list(accumulate(self._counts))
        self._tables: dict[int, pa.Table] = {}
        self._packs: dict[int, list[int]] = {}
        self.shards = stored_shards(self.root, self.manifest)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._ends[-1] if self._ends else 0

    @property
    def tokenizer(self) -> str:
        """The folder of the tokenizer as it was used."""
        return str(self.root / "tokenizer")

    def row(self, number: int) -> ShardRow:
        """Return row ``number``, from 0. The row's byte offset in the source is -1: it is not stored."""
        shard = bisect.bisect_right(self._ends, number)
        record = self._table(shard).slice(number - self._ends[shard] + self._counts[shard], 1)
        spans = (Span(*(span[field] for field in Span._fields)) for span in record["spans"][0].as_py())
        ids, labels = (_flat(record[name]).astype(np.int64) for name in ("input_ids", "labels"))
        weights, logprobs = (_flat(record[name]) if name in record.column_names else None for name in OPTIONAL)
        origin = record["origin"][0].as_py()
        depths = _flat(record["position_ids"]).astype(np.int64) if VISIBLE in record.column_names else None
        positions = None if depths is not None and np.array_equal(depths, np.arange(len(ids))) else depths
        labelled = Labelled(ids, labels, tuple(spans), weights, positions, logprobs)
        return ShardRow(labelled, Where(origin["file"], origin["line"], -1), origin["sequence"])

    def place(self, number: int) -> tuple[int, int] | None:
        """Return the packed row that holds row ``number``, and its place in it, both from 0; None where not packed."""
        shard = bisect.bisect_right(self._ends, number)
        if shard not in self._packs:
            self._packs[shard] = list(accumulate(self.shards[shard].pack_sizes(), initial=0))
        edges, own = self._packs[shard], number - self._ends[shard] + self._counts[shard]
        if len(edges) == 1:
            return None
        row = bisect.bisect_right(edges, own) - 1
        before = sum(int(told["rows"]) for told in self.manifest["shards"][:shard])
        return before + row, own - edges[row]

    def origins(self) -> Iterator[tuple[str, int, int]]:
        """Yield file, line and sequence of every row, in order."""
        for shard in range(len(self._counts)):
            origin = self._table(shard)["origin"].combine_chunks()
            yield from zip(*(origin.field(name).to_pylist() for name in ("file", "line", "sequence")), strict=True)

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of tokens and of trained tokens of every row (int64, one item a row)."""
        return self._lengths

    @cached_property
    def _lengths(self) -> tuple[np.ndarray, np.ndarray]:
        tokens, trained = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for shard in range(len(self._counts)):
            for chunk in self._table(shard)["labels"].chunks:
                edges = chunk.offsets.to_numpy()
                # One more than the labels, so that an empty last row still has an edge to count from.
                counts = np.concatenate(([0], np.cumsum(chunk.values.to_numpy() != IGNORED)))
                tokens.append(np.diff(edges))
                trained.append(np.diff(counts[edges]))
        return np.concatenate(tokens), np.concatenate(trained)

    @cached_property
    def branches(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of branches of every row, and of the tokens of its sequences together (int64, one item a row).

        A row that is no tree is one branch.
        """
        counts, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for shard in range(len(self._counts)):
            table = self._table(shard)
            for chunk in table["position_ids" if VISIBLE in table.column_names else "input_ids"].chunks:
                edges = chunk.offsets.to_numpy().astype(np.int64)
                if VISIBLE in table.column_names:
                    depths = chunk.values.to_numpy().astype(np.int64)
                    counts.append(trees.counts(depths, edges))
                    sizes.append(trees.unrolled_sizes(depths, edges))
                else:
                    counts.append(np.ones(len(edges) - 1, np.int64))
                    sizes.append(np.diff(edges))
        return np.concatenate(counts), np.concatenate(sizes)

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

    def dropped(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that were left out though nothing is wrong with them, as ``dropped.jsonl`` has them."""
        if (self.root / "maskprep" / "dropped.jsonl").exists():
            yield from self._lines("dropped.jsonl")

    def placed_findings(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield every finding with its offset in ``findings.jsonl``, by which ``finding`` returns it again."""
        offset = 0
        with self._findings.open("rb") as file:
            for line in file:
                yield offset, _parsed(line)
                offset += len(line)

    def finding(self, offset: int) -> dict[str, Any]:
        """Return the finding that stands at an offset."""
        with self._findings.open("rb") as file:
            file.seek(offset)
            facts: dict[str, Any] = _parsed(file.readline())
            return facts

    @property
    def _findings(self) -> Path:
        return self.root / "maskprep" / "findings.jsonl"

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        with (self.root / "maskprep" / name).open("rb") as file:
            for line in file:
                yield _parsed(line)

    def packs(self, numbers: Sequence[int]) -> Iterator[Any]:
        """Yield the packed rows ``numbers``, from 0 and rising, each as a record batch of one row."""
        wanted = list(numbers)
        seen = 0
        for batch in chain.from_iterable(shard.rows() for shard in self.shards):
            while wanted and wanted[0] < seen + batch.num_rows:
                yield batch.slice(wanted.pop(0) - seen, 1)
            seen += batch.num_rows

    def _table(self, shard: int) -> pa.Table:
        if shard not in self._tables:
            path = self.shards[shard].path
            try:
                table = pa.Table.from_batches(list(self.shards[shard].documents()))
            except (BuildError, pa.ArrowException) as error:
                raise BuildError(f"{path}: {first_line(error)}", "build the data set again") from error
            if len(table) != self._counts[shard]:
                raise BuildError(f"{path}: is not the shard that the manifest tells of", "build it again")
            self._tables[shard] = table
        return self._tables[shard]

    def _read_manifest(self, *, committed: bool) -> dict[str, Any]:
        mark = next((name for name in MARKS if (self.root / name).is_file()), "state.json")
        missing = [name for name in ([mark] if committed else []) + [_MANIFEST] if not (self.root / name).is_file()]
        if missing:
            msg = f"{str(self.root)!r} is no finished build of maskprep: it lacks {' and '.join(missing)}"
            raise UsageError(msg, "give the --output folder of a build")
        try:
            manifest = json.loads((self.root / _MANIFEST).read_bytes())
            version = manifest["format_version"]
            shards = manifest["shards"]
            counts = [shard[name] for shard in shards for name in ("rows", "documents")]
            sound = all(type(count) is int and count >= 0 for count in counts)
            splits = {_folder(shard) for shard in shards}
            profile_of(manifest)
            told = set(manifest["splits"]) if "splits" in manifest else {""}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{str(self.root)!r}: the manifest cannot be read: {error}", "build it again") from error
        if version != FORMAT_VERSION:
            msg = f"{str(self.root)!r}: the manifest has format {version!r}, this maskprep reads {FORMAT_VERSION}"
            raise UsageError(msg, "build it again, or read it with the version of maskprep that built it")
        if not sound or not shards or splits != told or splits not in ({""}, {SPLITS[0]}, set(SPLITS)):
            raise UsageError(f"{str(self.root)!r}: the manifest counts no rows", "build it again")
        facts: dict[str, Any] = manifest
        return facts


def holds_split(path: Path) -> bool:
    """Tell whether a folder is that of one split of a build."""
    return (
        path.name in SPLITS
        and not (path / _MANIFEST).exists()
        and (path.parent / _MANIFEST).is_file()
        and (path.parent / "dataset_dict.json").is_file()
    )


def _of_split(manifest: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Return the manifest with the shards and counts of one split alone."""
    shards = [shard for shard in manifest["shards"] if _folder(shard) == split]
    return {**manifest, "shards": shards, "totals": manifest["splits"][split]}


def _folder(shard: Mapping[str, Any]) -> str:
    return str(shard.get("file", "")).rpartition("/")[0]


def _flat(column: Any) -> np.ndarray:
    lists = column.combine_chunks()
    first, last = (lists.offsets[at].as_py() for at in (0, -1))
    # flatten() imports pyarrow.compute, which takes as long as all of pyarrow does.
    flat = lists.flatten() if lists.null_count else lists.values.slice(first, last - first)
    values: np.ndarray = flat.to_numpy()
    return values


def _parsed(line: bytes) -> Any:
    """Return a line of a ledger. orjson is several times faster, but refuses half of a surrogate pair."""
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line)
