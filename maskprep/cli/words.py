"""Words of the command line that are not understood: quoted in errors, and as little to be trusted as any text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

_UsageError: Any = typer.BadParameter.__base__  # click's, which typer brings along or not, according to its version


class Words(TyperGroup):
    """The commands. A glob of the shell may have made an option of a stranger's file name: errors spell it out."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read what stands before the command."""
        with _spelt_out():
            return super().make_context(*args, **more)

    def invoke(self, *args: Any, **more: Any) -> Any:
        """Find the command, read what stands behind it, and run it."""
        with _spelt_out():
            return super().invoke(*args, **more)


@contextmanager
def _spelt_out() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        from maskprep.show.safe import safe  # noqa: PLC0415 - wanted only here

        error.message = safe(error.message)
        raise
