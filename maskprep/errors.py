"""The exceptions of maskprep.

    MaskprepError
    ├── UsageError          the command line, the configuration, the tokenizer or the template is wrong   exit 2
    ├── BuildError          the data, or what the build met on the way, is wrong                          exit 1
    │   ├── BackendError    a fast tokenizer is not to be used after all: the build is begun again
    │   └── RejectedError   the rows are not fit for a data set: there is nothing to go on with
    └── RowError            one row cannot be used: it becomes a line of rejects.jsonl

Each is picklable: it is rebuilt from its arguments alone, so that it survives the way back from a worker process.
"""

from __future__ import annotations

from typing import Any


class MaskprepError(Exception):
    """The base of all exceptions of maskprep.

    ``message`` says what is wrong, ``hint`` what to do next. Both are plain text that may quote hostile data:
    whoever shows them must neutralise them first. As text, the error does so itself.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, and what to do next."""
        text = f"{self.message}\nwhat to do: {self.hint}" if self.hint else self.message
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


class UsageError(MaskprepError):
    """The command line, the configuration, the tokenizer or the template cannot be used."""


class BuildError(MaskprepError):
    """The build cannot go on, or must not be committed.

    ``facts`` holds what a report shows beside the message, by name (JSON types).
    """

    def __init__(self, message: str, hint: str = "", facts: dict[str, Any] | None = None) -> None:
        super().__init__(message, hint)
        self.args = (message, hint, facts)
        self.facts = facts or {}


class BackendError(BuildError):
    """A fast tokenizer gave other ids than transformers for some text, or cannot be used."""


class RejectedError(BuildError):
    """Too many rows cannot be used, or there is no row at all: the prepared rows are not wanted."""


class BuildInterrupt(KeyboardInterrupt):
    """The user ended a build; the message says whether it can be resumed."""


class RowError(MaskprepError):
    """One row cannot be used. ``code`` is stable: people count and grep it.

    ``facts`` holds what an inspection shows beside the message, by name (JSON types).
    """

    def __init__(self, code: str, message: str, hint: str = "", facts: dict[str, Any] | None = None) -> None:
        super().__init__(message, hint)
        self.args = (code, message, hint, facts)
        self.code = code
        self.facts = facts or {}


def first_line(error: BaseException) -> str:
    """Return the first line of the text of an exception that another package raised."""
    return str(error).strip().split("\n")[0]
