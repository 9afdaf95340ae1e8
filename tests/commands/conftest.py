"""A folder to work in, and the command line in it: in this process, or in one of its own where signals are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builds import LOUD, TOKENIZER, Command, Outcome, Process, jsonl
from stores import s3  # noqa: F401 - a fixture
from typer.testing import CliRunner

from maskprep.cli import app


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a new folder, offline, with nothing in the environment that colours output."""
    monkeypatch.chdir(tmp_path)
    for name in LOUD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    return tmp_path


@pytest.fixture
def build(place: Path) -> Command:
    """Run ``maskprep build`` in this process, with the bundled tokenizer unless another is named."""

    def run(*args: object, tokenizer: object = TOKENIZER, stdin: bytes | None = None) -> Outcome:
        words = ["build", *map(str, args), *(["--tokenizer", str(tokenizer)] if tokenizer else [])]
        result = CliRunner().invoke(app, words, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Process]]:
    """Start builds in processes of their own, and end those that still run when the test is over."""
    started: list[Process] = []

    def go(*args: object, **options: Any) -> Process:
        started.append(Process(*args, **options))
        return started[-1]

    yield go
    for process in started:
        process.end()


@pytest.fixture
def source(place: Path) -> Callable[..., str]:
    """Write rows to a file and return its name."""

    def write(*rows: Any, name: str = "rows.jsonl") -> str:
        (place / name).write_bytes(jsonl(*rows))
        return name

    return write
