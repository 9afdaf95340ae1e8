"""Opening a build, whatever state it is in: damaged or foreign files are errors that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskprep.dataset.reader import StoredDataSet, holds_split
from maskprep.errors import BuildError, MaskprepError

_REBUILD = "build the data set again"


def is_output(path: str) -> bool:
    """Tell whether ``path`` is the folder of a build, finished or not."""
    folder = Path(path)
    beside = folder / "tokenizer"  # what `save_to_disk` of datasets wrote has none
    finished = (folder / "state.json").exists() and beside.is_dir()
    return (folder / "maskprep").is_dir() or finished or holds_split(folder)


def open_build(path: str) -> StoredDataSet:
    """Open the finished build in folder ``path``.

    Raises:
        UsageError: there is no finished build.
        BuildError: the build is damaged.
    """
    with damage_told(path):
        return StoredDataSet(path)


@contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Raise any error of reading a build in the block as a ``BuildError``: its files are not as maskprep wrote them."""
    try:
        yield
    except MaskprepError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise BuildError(f"{str(path)!r}: the build is damaged: {_reason(error)}", _REBUILD) from error


def _reason(error: Exception) -> str:
    from pydantic import ValidationError  # noqa: PLC0415 - who shows a sound build does without

    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    fault = error.errors(include_url=False)[0]
    return f"its manifest: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
