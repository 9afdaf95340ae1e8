"""The imports and the garbage collection that a process which only prepares rows can spare: most of its start."""

from __future__ import annotations

import gc
import os
import sys
from importlib.machinery import ModuleSpec

_BETWEEN = 100_000  # objects that are made before the collector looks at them: rows make some thousands, and few cycles


_spared: set[str] = set()


def spare_torch() -> None:
    """Let ``import_transformers`` import transformers without torch, in this process: tokenizers need none.

    transformers would import it with the first tokenizer, for the models that it might be asked for: more than a
    second, and 190 MB.
    """
    _spared.add("torch")


def import_transformers(*, torch: bool) -> None:
    """Import transformers; without torch, if ``spare_torch`` was called and ``torch`` is False.

    Any other module that imports torch still gets it.
    """
    if torch or "torch" not in _spared or {"torch", "transformers"} & sys.modules.keys():
        return
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would say that models are not available
    sys.modules["torch"] = None  # type: ignore[assignment]  # what Python documents for a module that is not there
    try:
        from transformers.utils import is_torch_available  # noqa: PLC0415 - seconds to import, wanted only here

        is_torch_available()  # it looks once, and remembers
    finally:
        del sys.modules["torch"]


def spare_pandas() -> None:
    """Let pyarrow take for granted, in this process, that values handed to it are none of pandas' own.

    It would import pandas with the first array, to see whether it is one of pandas': half a second. Code that asks for
    pandas later, by its name or by ``to_pandas``, still gets it.
    """
    import pyarrow as pa  # noqa: PLC0415 - not every process that is spared something has arrays

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0])  # the first time it looks for it, and the last
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """An import finder that says of pandas that there is no such module, and of no other module anything."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return None


def spare_collector() -> None:
    """Let the garbage collector skip all objects that exist now, and look seldom at new ones.

    To be called once, when everything is loaded. A quarter of the time of a row would else go into looking at modules
    and tokenizers again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN, 20, 50)
