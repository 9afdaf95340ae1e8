"""The imports and the garbage collection that a process which only prepares rows can spare: most of its start.

What ``import transformers`` does before the first tokenizer can be loaded, and what is left of it here:

    import torch                      1 s and more    not at all
    look into 1,500 files of models   1 s, twice      when a name is asked for that the few known ones do not explain
    import trio, for the hub's HTTP   0.1 s           not at all
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

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
    sys.meta_path.insert(0, _UnreadFinder)
    try:
        with _absent("torch", "trio"):
            from transformers.utils import is_torch_available  # noqa: PLC0415 - seconds to import, wanted only here

            is_torch_available()  # it looks once, and remembers
    finally:
        sys.meta_path.remove(_UnreadFinder)


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Let modules that are not imported yet seem not to be installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # what Python documents for a module that is not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


_IMPORTS = "transformers.utils.import_utils"
"""The module of transformers that looks into the files of all models to learn which names they define."""


class _UnreadFinder:
    """An import finder that has transformers look into the files of models when it must, rather than at its start."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _IMPORTS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _UnreadLoader(spec.loader.name, spec.loader.path)
        return spec


class _UnreadLoader(SourceFileLoader):
    """Loads the module ``_IMPORTS``, and puts its own ways to find names behind ``_Unread`` and ``_unread_module``."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        read, lazy = getattr(module, "define_import_structure", None), getattr(module, "_LazyModule", None)
        if read is None or lazy is None:
            return  # another version: it may take its time
        models = str(Path(str(module.__file__)).parents[1] / "models")

        def define_import_structure(module_path: Any, prefix: str | None = None) -> Any:
            whole = str(module_path) in {models, str(Path(models, "__init__.py"))}
            return _Unread(lambda: read(module_path, prefix)) if whole else read(module_path, prefix)

        module.__dict__.update(define_import_structure=define_import_structure, _LazyModule=_unread_module(lazy))


class _Unread(dict[Any, Any]):
    """The names that transformers defines, but for those in the files of models, which ``read`` returns."""

    def __init__(self, read: Any) -> None:
        super().__init__({frozenset(): {}})
        self._read = read

    def whole(self) -> dict[Any, Any]:
        """Return all names."""
        found = {need: dict(modules) for need, modules in self._read().items()}
        found.setdefault(frozenset(), {}).update(self[frozenset()])
        return found


def _unread_module(lazy: Any) -> Any:
    """Return the class of lazy modules that reads its ``_Unread`` names as soon as one is asked for that it has not."""

    class UnreadModule(lazy):  # type: ignore[misc]  # transformers' own, known once it is imported
        """A module of transformers that defers its imports, and that knows few of the names which it defines yet."""

        def __init__(self, name: str, file: str, names: Any, *more: Any, **others: Any) -> None:
            super().__init__(name, file, names, *more, **others)
            self._unread: Any = (file, names, more, others) if isinstance(names, _Unread) else None
            if self._unread:
                self.__dict__.pop("__all__", None)  # that of all names is asked for by __getattr__, too

        def __getattr__(self, name: str) -> Any:
            if self.__dict__.get("_unread") is None or (name.startswith("__") and name != "__all__"):
                return super().__getattr__(name)
            if name in self._class_to_module or name in self._modules or name in self._objects:
                return super().__getattr__(name)
            found = _tokenizer_class(name)
            if found is not None:
                return found
            self._read()
            return getattr(self, name)

        def _read(self) -> None:
            """Become what the module would have been from the start, but for the names that it has been given since."""
            file, names, more, others = self._unread
            self._unread = None
            whole = lazy(self.__name__, file, names.whole(), *more, **others)
            self.__dict__.update({key: value for key, value in vars(whole).items() if key not in _ITS_OWN})

    return UnreadModule


_ITS_OWN = ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "_objects")


def _tokenizer_class(name: str) -> Any:
    """Return the class of tokenizers of that name, None where the table of transformers does not lead to it."""
    table = getattr(sys.modules.get("transformers.models.auto.tokenization_auto"), "TOKENIZER_MAPPING_NAMES", {})
    for kind in (kind for kind, wanted in table.items() if wanted == name):
        folder = kind.replace("-", "_")
        try:
            package = importlib.import_module(f"transformers.models.{folder}")
        except ImportError:
            continue
        known, lacking = (vars(package).get(names, {}) for names in ("_class_to_module", "_object_missing_backend"))
        if name in known and name not in lacking:
            return getattr(package, name)
    return None


def spare_pandas() -> None:
    """Let pyarrow take for granted, in this process, that values handed to it are none of pandas' or dateutil's own.

    It would import both with the first array, to see whether it is of theirs: half a second. Code that asks for pandas
    later, by its name or by ``to_pandas``, still gets it.
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
    """An import finder that says of pandas and dateutil that there are no such modules, and of no others anything."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004
        if name in {"pandas", "dateutil"}:
            raise ModuleNotFoundError(name=name)
        return None


def slow_collector() -> None:
    """Let the garbage collector look seldom at new objects: at the start of a process there is nothing to collect."""
    gc.set_threshold(_BETWEEN, 20, 50)


def spare_collector() -> None:
    """Let the garbage collector skip all objects that exist now, and look seldom at new ones.

    To be called once, when everything is loaded. A quarter of the time of a row would else go into looking at modules
    and tokenizers again and again.
    """
    gc.collect()
    gc.freeze()
    slow_collector()
