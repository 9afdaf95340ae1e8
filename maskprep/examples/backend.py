"""Which tokenizer backend a build encodes with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maskprep.config import Config
from maskprep.policy import BackendChoice
from maskprep.sources import HUB, total_bytes
from maskprep.tokenizer.backend import Backend, TransformersBackend, choose_backend
from maskprep.tokenizer.load import LoadedTokenizer

_SMALL = 2 * 2**20  # bytes: fastokens takes two seconds to load, in which transformers encodes more than this
_FEW = 1000  # rows that need not wait for it, with up to twice as many bytes
_BY_LINE = (".jsonl", ".ndjson")
_PLAIN = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")
_PACKED = 8  # about how much larger than their files compressed data and tables are


def backend_for(config: Config, loaded: LoadedTokenizer, names: Iterable[str]) -> Backend:
    """Return the backend that the configuration names, for the files of these ``names``.

    ``auto`` takes transformers where there is little to encode, and where a file can be read only once: should
    fastokens turn out to differ, the build could not be begun again. It depends on the configuration and the files
    alone, so that every worker comes to the same.

    Raises:
        UsageError: fastokens was asked for and cannot be used.
    """
    choice, names = config.tokenizer.backend, list(names)
    if choice == BackendChoice.AUTO:
        sizes = {name: total_bytes(name) for name in names if not name.startswith(HUB)}
        if None in sizes.values():
            return TransformersBackend(loaded.tokenizer, "a source can be read only once")
        text = sum((size or 0) * (1 if name.endswith(_PLAIN) else _PACKED) for name, size in sizes.items())
        if sizes and (text < _SMALL or (text < 2 * _SMALL and _are_few(names))):
            return TransformersBackend(loaded.tokenizer, "there is too little text for fastokens to gain time")
    return choose_backend(loaded.tokenizer, choice)


def _are_few(names: Iterable[str]) -> bool:
    """Tell whether files that hold a row a line, and are here to be counted, hold few."""
    rows = 0
    for name in names:
        if not name.endswith(_BY_LINE) or not Path(name).is_file():
            return False
        rows += Path(name).read_bytes().count(b"\n") + 1
    return rows <= _FEW
