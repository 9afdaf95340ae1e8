"""pyarrow without pandas, which nothing here needs."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

import pyarrow as pa


class _Hidden:
    """Finds no module called pandas, and nothing else."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return None


def spare_pandas() -> None:
    """Let pyarrow take for granted, in this process, that what it is given is nothing of pandas.

    It would import pandas with the first array, to see whether it is one of pandas': half a second of each worker's
    time. Should pandas be asked for later, by its name or by ``to_pandas``, it is imported all the same.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _Hidden)
    try:
        pa.array([0])  # the first time it looks for it, and the last
    finally:
        sys.meta_path.remove(_Hidden)
