"""The file that tells the library ``datasets`` what the columns are, as that library writes it, but without it.

To import it takes a second with all that it imports: more than a small build takes for everything else at its end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

_NAMES = {
    pa.bool_(): "bool",
    pa.int8(): "int8",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float32",
    pa.string(): "string",
}


def write_features(folder: Path, schema: pa.Schema) -> None:
    """Write ``dataset_info.json`` for shards of this schema into a folder."""
    try:
        features = {field.name: _feature(field.type) for field in schema}
    except KeyError:  # none that maskprep has written so far
        from datasets import DatasetInfo, Features  # noqa: PLC0415 - a second to import

        DatasetInfo(features=Features.from_arrow_schema(schema)).write_to_directory(str(folder))
        return
    info = {"description": "", "citation": "", "homepage": "", "license": "", "features": features}
    (folder / "dataset_info.json").write_bytes(json.dumps(info).encode())


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """Return what ``datasets`` calls an Arrow type. Raises ``KeyError`` for types that no column of maskprep has."""
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": _NAMES[kind], "_type": "Value"}
