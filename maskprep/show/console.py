"""The console of every command: text as it is, colours that no theme changes, and a pipe that may end early."""

from __future__ import annotations

import os
import sys
from typing import NoReturn, TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.theme import Theme

PIPED_WIDTH = 120
"""Columns of a table, where no terminal says how many it has."""

CUT_SHORT = 141
"""The exit code where whoever read the output has seen enough: what a shell gives a program that SIGPIPE ends."""

# The progress bar's own styles are colours without a ground, some of which a light screen swallows.
_THEME = Theme(dict.fromkeys(("progress.elapsed", "progress.remaining", "progress.download"), "default"))


class PlainConsole(Console):
    """A console that takes text as it is: no markup, no emoji codes, no highlighting.

    Args:
        file: where it prints to.
        terminal: None: as the file and the environment say.
        width: columns, None: as the terminal says.
    """

    def __init__(self, file: TextIO, *, terminal: bool | None = None, width: int | None = None) -> None:
        if width is None and not file.isatty():
            width = PIPED_WIDTH
        super().__init__(
            file=file,
            force_terminal=terminal,
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            theme=_THEME,
        )
        if self.color_system == "standard":
            # TERM=xterm, screen: they have 256 colours, too, and every theme has others for the first 16.
            self._color_system = ColorSystem.EIGHT_BIT

    def on_broken_pipe(self) -> NoReturn:
        """End the program: ``| head`` has seen enough."""
        cut_short()


def cut_short() -> NoReturn:
    """End the program where standard output is closed; what is left must not be tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(CUT_SHORT)
