"""pyarrow without pandas."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import numpy as np
import pyarrow as pa
from maskprep.shards.sparing import spare_pandas

spare_pandas()
assert pa.array(["a"]).to_pylist() == ["a"]
assert pa.array(np.arange(3)).to_numpy().tolist() == [0, 1, 2]
assert "pandas" not in sys.modules, "it was imported all the same"

import pandas
assert pa.table({"a": [1, 2]}).to_pandas()["a"].tolist() == [1, 2]
assert pa.array(pandas.Series([1, None])).null_count == 1
spare_pandas()
"""


def test_arrays_are_made_without_pandas_and_with_it_once_it_is_wanted():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
