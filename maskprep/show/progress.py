"""The progress of a command, on stderr: a bar on a terminal, nothing at all elsewhere."""

from __future__ import annotations

import time
from typing import Self

from rich import progress
from rich.console import Console

from maskprep.plural import count
from maskprep.progress import Progress
from maskprep.show.styles import GOOD
from maskprep.show.tables import line

_EVERY = 0.1  # seconds between two updates of the counts


class ProgressBar(Progress):
    """Shows what is done, the counts, and the time that is left; a context manager.

    Args:
        console: shows the bar, where it is a terminal.
        doing: what the command does.
        in_bytes: whether its steps are measured in bytes.
    """

    def __init__(self, console: Console, doing: str, *, in_bytes: bool = False) -> None:
        self._doing = doing
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(style="default", complete_style=GOOD, finished_style=GOOD, pulse_style="default"),
            progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[counts]}"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: progress.TaskID | None = None
        self._due = 0.0

    def __enter__(self) -> Self:
        """Begin to draw the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def start(self, step: str, total: int | None) -> None:
        """Begin a step; ``total`` None shows a bar without an end."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"{self._doing}: {step}" if step else self._doing, total=total, counts="")

    def advance(self, amount: int, /) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._bar.advance(self._task, amount)

    def count(self, **counts: int) -> None:
        """Show counts, by their names, beside the bar."""
        now = time.monotonic()
        if self._task is not None and now >= self._due:
            self._due = now + _EVERY
            self._bar.update(self._task, counts="  ".join(f"{count:,} {name}" for name, count in counts.items()))

    def stopping(self, chunks: int) -> None:
        """Show that the command ends soon."""
        self.notice(f"stopping: {count(chunks, 'chunk')} in work must be finished first; Ctrl-C again stops now")

    def notice(self, text: str) -> None:
        """Print a line above the bar, also where there is none."""
        line(self._bar.console, text)
