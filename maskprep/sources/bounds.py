"""What a table may hold for its size: a few kilobytes can tell of more rows and more text than any memory takes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from maskprep.errors import RowError
from maskprep.sources.streams import FREE, RATIO

ROWS = 1_000_000
"""Rows that any table may have; beyond them, no more than it has bytes: rows that differ take at least one each."""

_VALUE = 8  # bytes: the least that a value takes as a Python object within a list


def check_rows(path: str, rows: int, size: int, held: int = 0) -> None:
    """Refuse a table of more ``rows``, or of rows with more bytes of JSON, than fit into its ``size`` (bytes).

    Raises RowError.
    """
    if rows > max(ROWS, size):
        raise _bomb(f"{path} has {size:,} bytes and tells of {rows:,} rows or more")
    if held > max(FREE, RATIO * size):
        raise _bomb(f"{path} has {size:,} bytes, and its rows {held:,} or more")


def check_expansion(path: str, metadata: Any, size: int) -> None:
    """Refuse a Parquet file whose pages expand to far more than its ``size`` (bytes), as its own figures tell."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    most = max(FREE, RATIO * size)
    told = sum(group.total_byte_size for group in groups)
    values = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    if told > most or values > most:
        raise _bomb(f"{path} has {size:,} bytes and tells of {told:,} bytes, uncompressed, in {values:,} values")


def _bomb(message: str) -> RowError:
    return RowError(
        "compression-bomb", message, "Nothing after this place was read. If it is what you want, write it as JSONL."
    )


def check_structure(batch: Any) -> None:
    """Refuse a batch whose offsets or indices lead out of its buffers; text that is not UTF-8 is left to its row.

    Raises pyarrow's ArrowInvalid.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for column in batch.columns:
            column.view(_without_text(column.type)).validate(full=True)


def _without_text(kind: Any) -> Any:
    """Return a type with bytes wherever it has text."""
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_text(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        made = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return made(_without_text(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_without_text(kind.key_type), _without_text(kind.item_type))
    return {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(kind, kind)


def spread(values: Any) -> int:  # noqa: PLR0911 - a table of types
    """Return about how many bytes an array, or all columns of a batch, take as Python objects, at least.

    A text that stands once in a dictionary counts wherever it is used.
    """
    if isinstance(values, pa.RecordBatch):
        return sum(map(spread, values.columns))
    kind, size = values.type, _VALUE * len(values)
    if isinstance(kind, pa.BaseExtensionType):
        return spread(values.storage)
    if pa.types.is_dictionary(kind):
        return size + _chosen(values)
    if pa.types.is_struct(kind):
        return size + sum(map(spread, values.flatten()))
    if pa.types.is_map(kind):
        first, end = (values.offsets[at].as_py() or 0 for at in (0, -1))
        return size + sum(spread(each.slice(first, end - first)) for each in (values.keys, values.items))
    if hasattr(values, "flatten"):
        return size + spread(values.flatten())  # lists of all kinds
    return size + int(values.nbytes)


def _chosen(values: Any) -> int:
    """Return how many bytes of text the indices of a dictionary choose."""
    words = values.dictionary
    if not (pa.types.is_string(words.type) or pa.types.is_binary(words.type) or pa.types.is_large_string(words.type)):
        return 0
    return pc.sum(pc.binary_length(words).take(values.indices).cast(pa.int64())).as_py() or 0
