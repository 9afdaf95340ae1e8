"""The way to the rows that one leafs through in a terminal: what draws them is imported when it is wanted."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from maskprep.errors import UsageError

if TYPE_CHECKING:
    from maskprep.inspect.browsed import Browsed


def check_terminal() -> None:
    """Raise ``UsageError`` where there is no terminal, or textual is not installed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--browse needs a terminal", "leave it out, or write a page with --html FILE")
    if find_spec("textual") is None:
        raise UsageError("--browse needs textual, which is not installed", "pip install 'maskprep[browse]'")


def browse(rows: Browsed) -> None:
    """Show rows until the user leaves.

    Raises:
        BuildError: the build is damaged.
    """
    from maskprep.show.browser import RowBrowser  # noqa: PLC0415 - needs textual, an extra

    error = RowBrowser(rows).run()
    if error is not None:
        raise error
