"""What the tests of the commands share: rows, the command line in this process or one of its own, what a build left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer.testing
from bundled import ROOT, TOKENIZER
from typer.testing import CliRunner

from maskprep.cli import app
from maskprep.dataset.names import SETTINGS

NOW = "2026-01-02T03:04:05+00:00"

# A template: the last turn has an empty thought, earlier ones have none: what Qwen3's template does.
THINKS = """{%- for m in messages -%}
{{- '<|im_start|>' ~ m.role ~ '\\n' -}}
{%- if m.role == 'assistant' and loop.last -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}
{{- m.content ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""

typer.testing._get_command = cache(typer.testing._get_command)  # it is always the same, and takes time to make

LOUD = ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "PAGER")
_MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from maskprep.cli import main; main()"


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; anything beside it is an error."""
        assert self.stdout.endswith("}\n"), self
        assert self.stdout.count("\n") == 1, self
        value = json.loads(self.stdout)
        assert isinstance(value, dict)
        return value


def run(*words: object, stdin: bytes | None = None) -> Outcome:
    """Run ``maskprep`` in this process; what it raises beside an exit is raised, and it shows no traceback."""
    result = CliRunner().invoke(app, [*map(str, words)], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.stderr, result.stderr
    return Outcome(result.exit_code, result.stdout, result.stderr)


class Process:
    """``maskprep build`` in a process of its own, reading standard input that ends only when it is told to."""

    def __init__(self, *args: object, env: dict[str, str] | None = None, **streams: Any) -> None:
        """Start it."""
        words = [sys.executable, "-c", _MAIN, "build", *map(str, args), "--tokenizer", str(TOKENIZER)]
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": paths, **(env or {})}
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        self.popen = subprocess.Popen(words, env=environment, **given)

    def feed(self, data: bytes) -> None:
        """Write to its standard input, which stays open."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def wait_for(self, there: Callable[[], bool]) -> None:
        """Wait until something is there that the process makes; fail should it end instead."""
        deadline = time.monotonic() + 120
        while not there():
            assert self.popen.poll() is None, self.finish()
            assert time.monotonic() < deadline, "nothing happened for two minutes"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.popen.send_signal(number)

    def finish(self) -> Outcome:
        """Close its standard input and wait for its end."""
        stdout, stderr = self.popen.communicate(timeout=120)
        return Outcome(self.popen.returncode, (stdout or b"").decode(), (stderr or b"").decode())

    def end(self) -> None:
        """Leave nothing behind."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()


def chat(*texts: str, **more: Any) -> dict[str, Any]:
    """Return a row in which user and assistant speak in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[index % 2], "content": text} for index, text in enumerate(texts)]
    return {"messages": messages, **more}


def jsonl(*rows: Any) -> bytes:
    """Return rows as lines; what is bytes already is a line as it is."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def tree(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder, by its path; not of the settings, which name the folder."""
    settings = {folder / "maskprep" / name for name in SETTINGS.values()}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in settings)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rejects(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a build's rejects."""
    return [json.loads(line) for line in (folder / "maskprep" / "rejects.jsonl").read_text("ascii").splitlines()]
