"""Ctrl-C: the first asks for an end, the second is one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """While the block runs, the first SIGINT sets ``asked``; the second calls ``stop`` and raises KeyboardInterrupt.

    Outside of the main thread, where no signal can be caught, the block changes nothing.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.asked = False
        self._stop = stop
        self._before: Any = None

    def __enter__(self) -> Self:
        """Take SIGINT over."""
        if current_thread() is main_thread():
            self._before = signal.signal(signal.SIGINT, self._caught)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give SIGINT back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _caught(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            # The frame that is interrupted may be the caller's: the iterator would not hear of it soon.
            self._stop()
            raise KeyboardInterrupt
        self.asked = True
