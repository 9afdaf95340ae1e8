"""Columns of lists, taken apart and put together again; slices and foreign names of list items are welcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maskprep.arrays import Ints

CARRIED = ["spans", "origin"]
"""Our columns that no trainer but hf's can have in its way."""

_ORDER = ["input_ids", "labels", "position_ids", "seq_lengths", *CARRIED, "logprobs"]


def carried(batch: Any) -> Any:
    """Return the columns of a batch that no trainer but hf's can have in its way, log-probabilities among them."""
    return batch.select([*CARRIED, *(["logprobs"] if "logprobs" in batch.schema.names else [])])


def inner(column: Any) -> tuple[Any, Ints]:
    """Return the items of a column's lists, end to end, and where each list begins, with the end of the last.

    Whatever was sliced off the column is in neither.
    """
    edges = np.asarray(column.offsets.to_numpy(), np.int64)
    return column.values.slice(int(edges[0]), int(edges[-1] - edges[0])), edges - edges[0]


def flat(column: Any) -> tuple[npt.NDArray[Any], Ints]:
    """Return the numbers of a column's lists, end to end, and where each list begins, both as numpy arrays."""
    values, edges = inner(column)
    return values.to_numpy(), edges


def lists(values: npt.NDArray[Any], edges: Ints, kind: Any = None) -> Any:
    """Return a column of lists of ``kind`` (int32 unless given): list ``i`` holds ``values[edges[i]:edges[i + 1]]``."""
    return pa.ListArray.from_arrays(pa.array(edges.astype(np.int32)), pa.array(values).cast(kind or pa.int32()))


def ints(column: Any) -> Any:
    """Return a column of lists as lists of int32, whatever type of list or integer a file made of it."""
    return lists(*flat(column))


def ones(column: Any) -> Any:
    """Return lists of ones (int8), as long as those of ``column``."""
    values, edges = flat(column)
    return lists(np.ones(len(values), np.int8), edges, pa.int8())


def table(columns: Mapping[str, Any]) -> Any:
    """Return columns as a record batch."""
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def ours(tokens: Mapping[str, Any], companion: Any) -> Any:
    """Return a record batch of maskprep's rows, made of the columns of tokens and a companion."""
    columns = {**tokens, **{name: companion.column(name) for name in companion.schema.names}}
    return table({name: columns[name] for name in _ORDER if name in columns})


def empty(schema: Any) -> Any:
    """Return a record batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
