"""What all tests share: no network, repeatable properties, a folder to work in, and the command line there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import thorough
from bundled import TOKENIZER

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # models are tiny, and tests run side by side: threads only wait


def pytest_configure(config):
    if "not long" in config.option.markexpr:
        thorough.make_quick()
    thorough.load_profile(repeatable=bool(os.environ.get("CI")))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Sweeps belong to the long run as well; what needs assets waits for them."""
    if "not long" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("sweep") or item.get_closest_marker("hypothesis"):
                item.add_marker(pytest.mark.long)
    if os.environ.get("MASKPREP_ASSETS"):
        return
    skip = pytest.mark.skip(reason="MASKPREP_ASSETS names no folder of tokenizers and templates")
    for item in items:
        if item.get_closest_marker("assets"):
            item.add_marker(skip)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Work in a new folder, offline, with nothing in the environment that colours output."""
    from builds import LOUD

    monkeypatch.chdir(tmp_path)
    for name in LOUD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    return tmp_path


@pytest.fixture
def build(place):
    """Run ``maskprep build`` in this process, with the bundled tokenizer unless another is named."""
    from builds import run

    def go(*args, tokenizer=TOKENIZER, stdin=None):
        return run("build", *args, *(["--tokenizer", tokenizer] if tokenizer else []), stdin=stdin)

    return go


@pytest.fixture
def start(place) -> Iterator[Callable[..., Any]]:
    """Start builds in processes of their own, and end those that still run when the test is over."""
    from builds import Process

    started = []

    def go(*args, **options):
        started.append(Process(*args, **options))
        return started[-1]

    yield go
    for process in started:
        process.end()


@pytest.fixture
def source(place) -> Callable[..., str]:
    """Write rows to a file and return its name."""
    from builds import jsonl

    def write(*rows, name="rows.jsonl"):
        (place / name).write_bytes(jsonl(*rows))
        return name

    return write


@pytest.fixture
def s3():
    """A server of objects on loopback, with an empty bucket; the environment leads there."""
    from stores import object_store

    with object_store() as store:
        yield store
