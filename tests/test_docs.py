"""What the README and the comments of the bundled configuration say is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from bundled import ROOT
from typer.main import get_command

from maskprep.cli import app
from maskprep.codes import DROPS, FINDINGS, REJECTS
from maskprep.config import load
from maskprep.formats.keys import MEANINGLESS
from maskprep.formats.registry import ROW_FORMATS

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs" / "pages").rglob("*.md"))}
FORMATS = PAGES["formats"]
TEXTS = [README, *PAGES.values()]
QUICKSTART = ROOT / "configs" / "quickstart.yaml"
CI = (ROOT / ".ci" / "run").read_text("utf-8")


def shell_lines(text: str) -> list[str]:
    """Return the command lines in the shell blocks of a Markdown text."""
    blocks = re.findall(r"^```(?:bash|sh|console|shell)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").split("\n")
    return [line.removeprefix("$ ").strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def commands(lines: list[str]) -> list[list[str]]:
    """Return the words of every call of maskprep in command lines."""
    words = [shlex.split(part, comments=True) for line in lines for part in re.split(r"&&|\||;", line)]
    return [call[1:] for call in words if call[:1] == ["maskprep"]]


def comment_lines(text: str) -> list[str]:
    """Return what stands indented in the comments of a YAML file."""
    return [line[1:].strip() for line in text.split("\n") if line.startswith("#     ")]


ALL_COMMANDS = commands(
    [line for text in TEXTS for line in shell_lines(text)] + comment_lines(QUICKSTART.read_text("utf-8"))
)


def table_keys(heading: str) -> list[str]:
    """Return the code names in the first column of the tables of the page of formats that are headed so."""
    tables = re.findall(rf"^\| *`?{heading}`? *\|.*\n\|[-| :]+\|\n((?:\|.*\n)+)", FORMATS, re.MULTILINE)
    return [
        key
        for table in tables
        for row in table.split("\n")
        for key in re.findall(r"`([^`]+)`", row.split("|")[1:2][0] if row else "")
    ]


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_commands_and_options_exist(words):
    known = get_command(app).commands
    assert words[0] in known
    options = {option for parameter in known[words[0]].params for option in parameter.opts}
    given = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
    assert given <= options


def test_there_are_commands_to_check():
    assert "build" in {words[0] for words in commands(shell_lines(README))}
    assert commands(comment_lines(QUICKSTART.read_text("utf-8")))


def test_every_option_in_the_text_exists():
    known = get_command(app).commands
    options = {option for command in known.values() for parameter in command.params for option in parameter.opts}
    prose = "\n".join(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL) for text in TEXTS)
    named = set(re.findall(r"`(--[a-z-]+)", prose))
    assert named
    assert named <= options


def test_ci_runs_the_two_commands_of_the_README():
    """Word for word and in order; CI may add options such as -q or another output."""
    first, second, *_ = shell_lines(README)
    ran = [line.split() for line in CI.replace("\\\n", " ").split("\n")]
    for command in (first, second):
        assert any(in_order(command.split(), line) for line in ran), command


def in_order(words: list[str], line: list[str]) -> bool:
    rest = iter(line)
    return all(word in rest for word in words)


def test_every_code_stands_in_its_table_and_is_used():
    # A code is the first argument of RowError or Finding; one that is put together stands in the table in full.
    files = [path for path in sorted((ROOT / "maskprep").rglob("*.py")) if path.name != "codes.py"]
    source = "\n".join(path.read_text("utf-8") for path in files)
    raised = set(re.findall(r'RowError\(\s*"([a-z0-9-]+)"', source))
    found = set(re.findall(r'Finding\(\s*"([a-z0-9-]+)"', source))
    assert {"not-json", "template-error", "prompt-mismatch"} <= raised <= REJECTS.keys() | DROPS.keys()
    assert {"history-rewritten", "no-stop-token"} <= found <= FINDINGS.keys()
    told = REJECTS.keys() | FINDINGS.keys() | DROPS.keys()
    assert all(f'"{code}"' in source or code.rpartition("-")[0] in source for code in told), "codes of nothing"


def test_every_code_says_what_it_means_and_what_to_do():
    for code in (*REJECTS.values(), *FINDINGS.values(), *DROPS.values()):
        assert code.meaning
        assert code.fix


def test_the_page_of_formats_tells_every_format_and_every_key_that_means_nothing():
    assert table_keys("format") == list(dict.fromkeys(table_keys("format")))
    assert set(table_keys("format")) == set(ROW_FORMATS)
    table = re.search(r"^\| known to mean nothing \|.*\n.*\n((?:\|.*\n)+)", FORMATS, re.MULTILINE)
    assert table
    told = dict(re.findall(r"^\| ([^|`]+) \| (.*) \|$", table[1], re.MULTILINE))
    keys = {key: meaning for meaning, listed in told.items() for key in re.findall(r"`([^`]+)`", listed)}
    assert keys == MEANINGLESS


def test_the_bundled_configuration_is_one(monkeypatch):
    monkeypatch.chdir(ROOT)
    config = load(str(QUICKSTART), {})
    assert all(Path(source.path).is_file() for source in config.sources)
    assert Path(config.tokenizer.name, "tokenizer.json").is_file()


def test_every_link_of_the_README_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_README_is_short():
    assert len(README.split()) < 1000
