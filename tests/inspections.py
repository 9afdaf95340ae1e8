"""What the tests of ``maskprep inspect`` share: the command in this process or on a terminal, and builds to look at."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from builds import LOUD, Outcome, run
from bundled import CONVERSATIONS, ROOT, TOKENIZER

from maskprep.cli import app
from maskprep.dataset.reader import StoredDataSet
from maskprep.progress import Progress
from maskprep.verify.command import check_all
from maskprep.verify.options import VerifyOptions
from maskprep.verify.with_model import ModelChecks

WITH_TOKENIZER = ("--tokenizer", str(TOKENIZER))


def inspect(*words: object, stdin: bytes | None = None) -> Outcome:
    """Run ``maskprep inspect``."""
    return run("inspect", *words, stdin=stdin)


def shown(*words: object, stdin: bytes | None = None) -> str:
    """Return what ``maskprep inspect`` prints; it must do it without a word on stderr."""
    outcome = inspect(*words, stdin=stdin)
    assert (outcome.code, outcome.stderr) == (0, ""), outcome
    return outcome.stdout


def facts(*words: object, stdin: bytes | None = None) -> dict[str, Any]:
    """Return the one object that ``maskprep inspect --json`` prints."""
    outcome = inspect(*words, "--json", stdin=stdin)
    assert (outcome.code, outcome.stderr) == (0, ""), outcome
    return outcome.json


def refused(*words: object, code: int = 2, stdin: bytes | None = None) -> str:
    """Return the message with which ``maskprep inspect`` ends, with the exit code that is expected."""
    outcome = inspect(*words, stdin=stdin)
    assert outcome.code == code, outcome
    assert not outcome.stdout
    assert outcome.stderr.startswith("maskprep: ")
    assert "Traceback" not in outcome.stderr
    return outcome.stderr


def make(output: Path, source: object, *words: object) -> Path:
    """Build ``source`` into ``output``."""
    outcome = run("build", source, "--output", output, "--max-rejects", "1", *WITH_TOKENIZER, *words)
    assert outcome.code == 0, outcome
    return output


@cache
def sample_build() -> Path:
    """Return a build of the bundled sample in several shards. It is shared: look, and change nothing."""
    folder = Path(tempfile.mkdtemp(prefix="maskprep-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make(folder / "built", CONVERSATIONS)


def verified(build: Path, rows: str = "5") -> dict[str, Any]:
    """Run the checks of ``maskprep verify`` that need no model; all must pass. Return the figures of the last."""
    options = VerifyOptions(str(build), device="cpu", rows=rows)
    results = list(islice(check_all(StoredDataSet(str(build)), ModelChecks(options, Progress())), 3))
    assert [(result.name, str(result.verdict)) for result in results] == [
        ("files", "passed"),
        ("structure", "passed"),
        ("source", "passed"),
    ], results
    return dict(results[-1].figures)


def columns(build: Path) -> list[dict[str, Any]]:
    """Return the rows of a build, read with pyarrow alone."""
    rows: list[dict[str, Any]] = []
    for shard in sorted(build.glob("*.arrow")):
        with pa.OSFile(str(shard)) as file:
            rows += pa.ipc.open_stream(file).read_all().to_pylist()
    return rows


def manifest(build: Path) -> dict[str, Any]:
    """Return the manifest of a build."""
    value = json.loads((build / "maskprep" / "manifest.json").read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def on_terminal(*words: object, lines: int = 40, width: int = 120, **env: str) -> tuple[int, str]:
    """Run ``maskprep inspect`` in a process on a terminal of its own; return its exit code and what that was given."""
    quiet = {name: value for name, value in os.environ.items() if name not in (*LOUD, "LESS", "LINES")}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with _terminal(lines, width) as (theirs, said):
        process = subprocess.run(
            [sys.executable, "-m", "maskprep", "inspect", *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**quiet, "PYTHONPATH": paths, "TERM": "xterm-256color", **env},
            timeout=120,
            check=False,
        )
    return process.returncode, said()


def on_screen(*words: object, lines: int = 40, width: int = 120, **env: str) -> str:
    """Run ``maskprep inspect`` in this process with a terminal as its standard output; return what that was given."""
    given = {"TERM": "xterm-256color", "COLUMNS": str(width), "LINES": str(lines), **env}
    with _terminal(lines, width) as (theirs, said), pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        with os.fdopen(os.dup(theirs), "w", encoding="utf-8") as stdout:
            patch.setattr(sys, "stdout", stdout)
            with pytest.raises(SystemExit) as ended:
                app(["inspect", *map(str, words)])
            assert not ended.value.code
    return said()


@contextmanager
def _terminal(lines: int, width: int) -> Iterator[tuple[int, Callable[[], str]]]:
    """Open a terminal: give its end for a program, and a function that tells what it was given once that is closed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, width, 0, 0))
    said: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # the terminal's other end is closed
            while block := os.read(ours, 65536):
                said.append(block)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs, lambda: b"".join(said).decode().replace("\r\n", "\n")
    finally:
        os.close(theirs)
        reader.join(timeout=60)
        os.close(ours)
