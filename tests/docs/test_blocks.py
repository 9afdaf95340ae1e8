"""Every block of the README and of the documentation runs, in order, on the bundled sample."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import builds
import pytest
from blocks import blocks_of, commands_of
from bundled import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]
LINKED = ("sample_data", "configs", "examples", "docs", "README.md")
INSTALLS = ("python", "pip", "git", "cd", "source", ".")  # what the first lines of a fresh machine do: CI does them


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with what a checkout has, as the current one."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_block_runs(page, checkout):
    names: dict[str, object] = {"__name__": "page"}
    ran = 0
    for block in blocks_of(page.read_text("utf-8")):
        place = f"{page.name}:{block.line}"
        if block.language == "bash":
            for words in commands_of(block.text):
                if words[:1] == ["python"] and words[1:2] and words[1].startswith("examples/"):
                    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=False)
                    assert done.returncode == 0, f"{place}: {words}\n{done.stderr}"
                    ran += 1
                    continue
                if words[0] in INSTALLS:
                    continue
                assert words[0] == "maskprep", f"{place}: {words}"
                outcome = builds.run(*words[1:])
                assert outcome.code == 0, f"{place}: {words}\n{outcome.stdout}\n{outcome.stderr}"
                ran += 1
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, place, "exec"), names)
            ran += 1
    assert ran or not blocks_of(page.read_text("utf-8")) or "```bash" not in page.read_text("utf-8")
