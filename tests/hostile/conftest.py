"""Every test works in a folder of its own."""

from __future__ import annotations

import pytest
from builds import run


@pytest.fixture(autouse=True)
def _there(place):
    """Work in a new folder."""


@pytest.fixture
def maskprep():
    """Run a command in this process; its exit code, what it printed, and what it said on stderr."""

    def go(*words, stdin=None):
        done = run(*words, stdin=stdin)
        return done.code, done.stdout, done.stderr

    return go
