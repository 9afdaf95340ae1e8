"""The command line in a new folder, offline, with nothing in the environment that colours output."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from maskprep.cli import app

_LOUD = ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "PAGER")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Work in a new folder."""
    monkeypatch.chdir(tmp_path)
    for name in _LOUD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    return tmp_path


@pytest.fixture
def maskprep():
    """Run a command in this process; its exit code, what it printed, and what it said on stderr."""

    def run(*words, stdin=None):
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr, result.stderr
        return result.exit_code, result.stdout, result.stderr

    return run
