"""The documents of finished builds, in any order: shards are mapped into memory, and only what is wanted is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.arrays import Ints
from maskprep.dataset.inside import check_inside
from maskprep.errors import BuildError, UsageError
from maskprep.labelled import IGNORED

_TREE = ("position_ids", "visible_until")
_COLUMNS = ("input_ids", "labels", "loss_weights", *_TREE)
_PACKED = {"seq_lengths", "position_ids"}  # one of these is in packed rows, whichever trainer they were made for
_NO_ARROW = "maskprep/state.json"  # the mark of a data set that is no Arrow folder
_EXPORT = (
    "the loader packs by itself: maskprep export OUT --profile hf --set packing=null --output DIR makes what it reads; "
    "packed rows that datasets has loaded go to PackedCollator as they are"
)


class StoredDocuments:
    """All rows of some folders, numbered from 0, folder after folder. Takes a few bytes of memory a row.

    Args:
        folders: output folders of unpacked builds; they need not be alike in anything but their columns.

    Raises:
        UsageError: a folder holds no data set, or one that is packed already.
        BuildError: a shard cannot be read.
    """

    def __init__(self, folders: Sequence[str | Path]) -> None:
        if not folders:
            raise UsageError("no folder to read from", "give the --output folder of a build")
        self._folders = [Path(folder) for folder in folders]
        self._shards = [_shards(folder) for folder in self._folders]
        self._open()

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.lengths)

    @cached_property
    def fingerprint(self) -> str:
        """A fingerprint of these documents: a hash of all lengths and of where folders begin."""
        found = sha256(np.asarray(self.edges, np.int64).tobytes())
        found.update(self.lengths.tobytes())
        return found.hexdigest()[:16]

    def row(self, documents: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
        """Return documents end to end: ``input_ids``, ``labels``, ``seq_lengths``, and ``loss_weights`` if any has.

        Where any may be a tree, there are ``position_ids``, and ``visible_until``, which counts from the first token.

        Without documents it is a row of two tokens that trains nothing.
        """
        if not documents:
            return {
                "input_ids": np.zeros(2, np.int32),
                "labels": np.full(2, IGNORED, np.int32),
                "seq_lengths": np.full(1, 2, np.int32),
                **({"loss_weights": np.zeros(2, np.float32)} if "loss_weights" in self.columns else {}),
                **({"position_ids": np.arange(2), "visible_until": np.full(2, 2)} if self.trees else {}),
            }
        pieces: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in self.columns}
        for number in documents:
            batch = int(np.searchsorted(self._ends, number, side="right"))
            first, offsets, values = self._batches[batch]
            start, stop = offsets[number - first : number - first + 2].tolist()
            for name in self.columns:
                piece = values.get(name)
                pieces[name].append(_of_plain(name, stop - start) if piece is None else piece[start:stop])
        row: dict[str, npt.NDArray[Any]] = {name: np.concatenate(parts) for name, parts in pieces.items()}
        lengths = self.lengths[list(documents)]
        if self.trees:
            row["visible_until"] = row["visible_until"] + np.repeat(np.cumsum(lengths) - lengths, lengths)
        return {**row, "seq_lengths": lengths}

    def place(self, number: int) -> str:
        """Return the place of a document, in words: its folder and its number there."""
        folder = int(np.searchsorted(self.edges, number, side="right")) - 1
        return f"row {number - self.edges[folder]:,} of {str(self._folders[folder])!r}"

    def __getstate__(self) -> dict[str, Any]:
        """Return the folders and shards that another process needs to open them again: no buffer travels."""
        return {"_folders": self._folders, "_shards": self._shards}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the shards again."""
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._batches: list[tuple[int, npt.NDArray[Any], dict[str, npt.NDArray[Any]]]] = []
        lengths, edges, total = [np.zeros(0, np.int32)], [0], 0
        for shards in self._shards:
            for path, expected in shards:
                before = total
                for offsets, values in _batches(path):
                    self._batches.append((total, offsets, values))
                    lengths.append(np.diff(offsets).astype(np.int32))
                    total += len(offsets) - 1
                if expected is not None and total - before != expected:
                    msg = f"{path}: holds {total - before:,} rows, and its manifest tells of {expected:,}"
                    raise BuildError(msg, "build the data set again")
            edges.append(total)
        self.lengths = np.concatenate(lengths)
        """Tokens of each document, int32."""
        self.edges: Ints = np.asarray(edges, np.int64)
        """The first document of each folder, and one more than the last."""
        self._ends = np.asarray([first + len(offsets) - 1 for first, offsets, _ in self._batches], np.int64)
        self.columns = [name for name in _COLUMNS if any(name in values for _, _, values in self._batches)]
        self.trees = "visible_until" in self.columns
        """Whether a document may be a tree."""


def _of_plain(name: str, size: int) -> npt.NDArray[Any]:
    """Return a column of a document of ``size`` tokens whose folder does not have it."""
    match name:
        case "position_ids":
            return np.arange(size, dtype=np.int32)
        case "visible_until":
            return np.full(size, size, np.int32)
        case _:
            return np.ones(size, np.float32)


def _shards(folder: Path) -> list[tuple[Path, int | None]]:
    """Return the shards of a folder, and how many rows each must have, where a manifest tells."""
    if (folder / "dataset_dict.json").is_file():
        raise UsageError(f"{str(folder)!r} holds several splits", "give the folder of one of them, such as its train/")
    try:
        state = json.loads((folder / "state.json").read_bytes())
        names = [str(file["filename"]) for file in state["_data_files"]]
    except FileNotFoundError as error:
        if (folder / _NO_ARROW).is_file() or (folder.parent / _NO_ARROW).is_file():
            raise UsageError(f"{str(folder)!r} holds Parquet files, made for one trainer", _EXPORT) from error
        raise UsageError(f"{str(folder)!r} holds no finished build", "give the --output folder of a build") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{folder / 'state.json'}: cannot be read: {error}", "build the data set again") from error
    check_inside(folder)
    if any(Path(name).name != name for name in names):
        raise UsageError(f"{folder / 'state.json'}: names files outside of its folder", "build the data set again")
    rows: dict[str, int] = {}
    try:
        manifest = json.loads((folder / "maskprep" / "manifest.json").read_bytes())
        rows = {str(shard["file"]): int(shard["rows"]) for shard in manifest["shards"]}
    except FileNotFoundError:
        pass  # saved anew by another tool: what is there is all there is to know
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{str(folder)!r}: the manifest cannot be read: {error}", "build it again") from error
    return [(folder / name, rows.get(name)) for name in names]


def _batches(path: Path) -> list[tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]]:
    """Return for each batch of a shard the offsets of its rows and the columns end to end, all of them mapped."""
    try:
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            names = stream.schema.names
            missing = [name for name in _COLUMNS[:2] if name not in names]
            if missing:
                msg = f"{path}: has no column {' and no '.join(missing)}: it has {', '.join(names)}"
                raise UsageError(msg, "give a data set that maskprep built")
            if (_PACKED - set(_TREE if "visible_until" in names else ())) & set(names):
                raise UsageError(f"{path}: is packed already", _EXPORT)
            return [_mapped(batch, names) for batch in stream]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BuildError(
            f"{path}: cannot be read: {str(error).split(chr(10))[0]}", "build the data set again"
        ) from error


def _mapped(batch: Any, names: Sequence[str]) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    offsets, values = None, {}
    for name in _COLUMNS:
        if name not in names:
            continue
        column = batch.column(name)
        if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
            raise ValueError(f"the column {name} is of the type {column.type}, and no list")
        if column.null_count or column.values.null_count:
            raise ValueError(f"the column {name} holds nulls")
        edges = column.offsets.to_numpy()
        if offsets is not None and not np.array_equal(edges, offsets):
            raise ValueError(f"rows have another number of {name} than of input_ids")
        offsets, values[name] = edges, column.values.to_numpy()
    assert offsets is not None
    return offsets, values
