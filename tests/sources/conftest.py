"""The fixture ``row_groups``."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def row_groups(monkeypatch):
    """The row groups of Parquet files that are read, in order."""
    groups = []

    class Noting(pq.ParquetFile):
        def iter_batches(self, *args, row_groups, **more):
            groups.extend(row_groups)
            return super().iter_batches(*args, row_groups=row_groups, **more)

    monkeypatch.setattr(pq, "ParquetFile", Noting)
    return groups
