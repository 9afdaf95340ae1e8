"""A fault of ours costs the row that met it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from maskprep.errors import MaskprepError, RowError


@contextmanager
def guarded() -> Iterator[None]:
    """Let a fault of ours cost the row that met it, and not the build: it is raised as ``internal-error``."""
    try:
        yield
    except MaskprepError:
        raise
    except Exception as error:
        raise internal_error(error) from error


def internal_error(error: Exception) -> RowError:
    """Return the error of a row that maskprep failed on."""
    msg = f"maskprep failed on this row: {type(error).__name__}: {error}"
    return RowError("internal-error", msg, "this is a fault of maskprep: please report it with the row")
