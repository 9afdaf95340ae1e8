"""The clock of transformers' chat templates, set to the time of the build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self


@contextmanager
def clock(now: datetime) -> Iterator[None]:
    """Set the clock that transformers tells templates to ``now``, as it stood in the build."""
    from transformers.utils import chat_template_utils  # noqa: PLC0415 - seconds to import

    class _Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Self:  # noqa: ARG003 - datetime's own signature
            return cls(now.year, now.month, now.day, now.hour, now.minute, now.second, tzinfo=now.tzinfo)

    before = chat_template_utils.datetime
    chat_template_utils.datetime = _Then
    try:
        yield
    finally:
        chat_template_utils.datetime = before
