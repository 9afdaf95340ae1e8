"""The progress of a build, on stderr: a bar on a terminal, nothing at all elsewhere."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from maskprep.build.worker import Counts

_EVERY = 0.1  # seconds between two updates of the counts


class BuildProgress:
    """Shows the bytes, rows, tokens and rejects of a build, and the time that is left; a context manager."""

    def __init__(self, console: Console) -> None:
        """Show on ``console``, where it is a terminal."""
        self._bar = Progress(
            TextColumn("building"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rows]:,} rows  {task.fields[tokens]:,} tokens  {task.fields[rejects]:,} rejected"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._due = 0.0

    def __enter__(self) -> Self:
        """Begin to draw the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def start(self, total_bytes: int | None) -> None:
        """Begin the bar of ``total_bytes`` bytes; None shows one without an end."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task("build", total=total_bytes, rows=0, tokens=0, rejects=0)

    def read(self, count: int) -> None:
        """Note that ``count`` more bytes were read."""
        if self._task is not None:
            self._bar.advance(self._task, count)

    def rows(self, counts: Counts) -> None:
        """Show the counts of rows, tokens and rejects so far."""
        now = time.monotonic()
        if self._task is not None and now >= self._due:
            self._due = now + _EVERY
            self._bar.update(self._task, rows=counts.rows, tokens=counts.tokens, rejects=counts.rejected)

    def stopping(self, chunks: int) -> None:
        """Show that the build stops once so many chunks are done."""
        self._bar.console.print(f"stopping: {chunks} begun chunks are finished first; Ctrl-C again stops now")
