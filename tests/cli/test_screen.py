"""What stands on the screen when a command ends, and what happens where nobody reads to the end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from builds import chat, run
from bundled import CONVERSATIONS, TOKENIZER
from unmarked import stripped

from maskprep.show.console import PlainConsole
from maskprep.show.terminal import show_build

MAIN = "from maskprep.cli import main; main()"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    import maskprep

    out = str(tmp_path_factory.mktemp("screen") / "out")
    return maskprep.build(sources=str(CONVERSATIONS), tokenizer=str(TOKENIZER), output=out, max_rejects=1)


def shown(report, width, height=24):
    import io

    out = PlainConsole(io.StringIO(), terminal=True, width=width)
    show_build(out, report)
    return stripped(out.file.getvalue()).split("\n")[:-1]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_verdict_is_within_the_last_screen(report, width):
    rows = [-(-max(len(line), 1) // width) for line in shown(report, width)]
    lines = shown(report, width)
    start = next(at for at, line in enumerate(lines) if line.startswith("maskprep build: done"))
    assert sum(rows[start:]) < 24 or width < 80  # where the folder's long name takes several rows
    verdict = "\n".join(lines[start:])
    for text in ("55 used", "6 rejected", "8,584 tokens (55.0%)", "15,604 in 56 sequences", "tokens a second", " s, "):
        assert text in " ".join(verdict.split()), text
    assert "maskprep inspect" in verdict
    assert "maskprep settings" in verdict


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_word_is_torn(report, width):
    for line in shown(report, width):
        assert len(line) <= width or " " not in line.strip() or line.lstrip().startswith(("maskprep ", "open "))


def test_no_settings_are_on_the_screen(report):
    assert not any("load_from_disk" in line for line in shown(report, 120))


@pytest.mark.parametrize("words", [pytest.param(("--json",), marks=pytest.mark.long), ()], ids=["json", "text"])
def test_a_pipe_that_is_closed_early_is_no_failure(place, source, words):
    """The reading end is closed before anything is written: what `| head` may do."""
    name = source(*[chat("Hi", "Ho")] * 3)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", MAIN, "build", name, "--tokenizer", str(TOKENIZER), "-o", "out", *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
    assert (place / "out" / "state.json").exists()


def test_help_into_a_pipe_that_is_closed_is_no_failure():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "-h"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.returncode in {0, 141}
    assert done.stderr == ""


def test_the_output_is_remembered_by_its_settings(report):
    assert run("settings", report.output).stdout.startswith("# Settings for transformers.Trainer")
