"""The frame of every command: consoles, errors, exit codes, and words of the command line that are not understood.

Such words are quoted in errors, and are as little to be trusted as any text of data.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from maskprep.errors import BuildError, BuildInterrupt, MaskprepError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

_DATA, _USAGE, _INTERRUPTED = 1, 2, 130


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes text as it is: no markup, no emoji codes, no colours of its own."""
    from maskprep.show.console import PlainConsole  # noqa: PLC0415 - --help does without

    return PlainConsole(sys.stderr if stderr else sys.stdout)


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON object and nothing else."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()  # a pipe that is closed is told here, not when the program ends


@contextmanager
def errors_shown(*, as_json: bool) -> Iterator[None]:
    """Show the errors of the block, and end the program with the exit code that fits."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice concerns its own callers
    try:
        yield
        sys.stdout.flush()
    except MaskprepError as error:
        _show(error, as_json=as_json)
        raise typer.Exit(_DATA if isinstance(error, BuildError) else _USAGE) from None
    except BrokenPipeError:
        from maskprep.show.console import cut_short  # noqa: PLC0415 - as above

        cut_short()
    except OSError as error:
        # Nothing was begun yet, or it would be an error of ours: a name that no file can have, say.
        _show(
            UsageError(f"{error.filename or 'a file'}: {error.strerror or error}", "check the names"), as_json=as_json
        )
        raise typer.Exit(_USAGE) from None
    except KeyboardInterrupt as error:
        sys.stderr.write(f"maskprep: {error if isinstance(error, BuildInterrupt) else 'interrupted'}\n")
        raise typer.Exit(_INTERRUPTED) from None


def _show(error: MaskprepError, *, as_json: bool) -> None:
    from maskprep.show.terminal import show_error  # noqa: PLC0415 - as above

    facts = getattr(error, "facts", {})
    if facts.get("recommended"):
        from maskprep.recommend.typed import add_typed  # noqa: PLC0415 - as above

        add_typed(facts["recommended"], _words.get())
    if as_json:
        print_json({"error": error.message, "hint": error.hint, **facts})
    else:
        show_error(console(stderr=True), error)


_UNCUT = 1000  # characters
_words: ContextVar[tuple[str, ...]] = ContextVar("_words", default=())
"""What was typed behind ``maskprep``: a command that is recommended is this one with more options."""

_UsageError: Any = typer.BadParameter.__base__  # click's, which typer brings along or not, according to its version


class Words(TyperGroup):
    """The group of all commands, whose errors escape words: a shell's glob may have made an option of a file name."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the whole first sentence of its help, however long."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_UNCUT)) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **named: Any) -> Any:
        """Parse the words in front of the command, and keep all words as they were typed."""
        _words.set(tuple(args))
        with _spelt_out():
            return super().make_context(info_name, args, *more, **named)

    def invoke(self, *args: Any, **more: Any) -> Any:
        """Find the command, parse the words behind it, and run it."""
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
