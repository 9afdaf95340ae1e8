"""What is written for the library ``datasets`` is what it writes itself, to the byte."""

from __future__ import annotations

import pyarrow as pa
import pytest
from datasets import DatasetInfo, Features

from maskprep.dataset.features import write_features
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.schema import Layout
from maskprep.errors import UsageError


def schemas():
    for name, profile in PROFILES.items():
        for weighted in (False, True):
            for packed in (False, True):
                try:
                    parts = profile.schema(Layout(weighted, packed))
                except UsageError:
                    continue
                yield from (pytest.param(part, id=f"{name}-{weighted}-{packed}") for part in parts if part is not None)


@pytest.mark.parametrize("schema", [*schemas(), pa.schema([("time", pa.timestamp("us")), ("big", pa.large_string())])])
def test_it_is_what_datasets_writes(schema, tmp_path):
    DatasetInfo(features=Features.from_arrow_schema(schema)).write_to_directory(str(tmp_path))
    theirs = (tmp_path / "dataset_info.json").read_bytes()
    (tmp_path / "dataset_info.json").unlink()
    write_features(tmp_path, schema)
    assert (tmp_path / "dataset_info.json").read_bytes() == theirs
