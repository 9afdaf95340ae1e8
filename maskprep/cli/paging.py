"""The pager for output that is longer than the screen, where there is a screen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

from maskprep.cli.running import console

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = re.compile(r"\x1b\[[0-9;]*m")
_NOT_RUN = (126, 127)  # what a shell answers where there is no such program


def show_paged(show: Callable[[Console], None]) -> None:
    """Print what ``show`` prints; on a terminal that is too small for it, through ``$PAGER`` or less."""
    out = console()
    with out.capture() as captured:
        show(out)
    text = captured.get()
    if not (sys.stdout.isatty() and _overflows(text, out.width, out.height) and _page(text)):
        try:
            out.file.write(text)
            out.file.flush()
        except BrokenPipeError:  # `| head` has seen enough; what is left must not be tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overflows(text: str, width: int, height: int) -> bool:
    """Tell whether a text overflows a screen, which also needs a line for the next prompt."""
    from rich.cells import cell_len  # noqa: PLC0415 - --help does without

    used = 1
    for line in _STYLES.sub("", text).split("\n")[:-1]:
        used += max(1, -(-cell_len(line) // width))
        if used > height:
            return True
    return False


def _page(text: str) -> bool:
    """Show the text in the pager, and tell whether there is one."""
    command = os.environ.get("PAGER", "less").strip()
    if not command or os.environ.get("TERM") == "dumb" or ("PAGER" not in os.environ and not shutil.which("less")):
        return False
    # As git does it: colours pass, and what fits on the screen after all stays there.
    environment = {"LESS": "FRX", **os.environ}
    pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)  # noqa: S602 - the user's own
    # It may be left before the end, which is no error; and an interrupt is meant for it.
    with suppress(BrokenPipeError, KeyboardInterrupt), pager.stdin or BytesIO() as pipe:
        pipe.write(text.encode(errors="backslashreplace"))
    while True:
        with suppress(KeyboardInterrupt):
            return pager.wait() not in _NOT_RUN
