"""Every command's help: short to get, whole, with examples that are right; and the screen of ``maskprep`` alone."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from builds import run
from bundled import ROOT
from typer.main import get_command

from maskprep.cli import app
from maskprep.cli.examples import EXAMPLES, first_screen

COMMANDS = get_command(app).commands
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md")))
DOCUMENTS = "\n".join(path.read_text("utf-8") for path in PAGES)


def words_of(line):
    """Return the words of the call of maskprep in a command line."""
    words = shlex.split(line, comments=True)
    start = words.index("maskprep") + 1
    end = next((at for at, word in enumerate(words) if word in {">", "|"} and at > start), len(words))
    return words[start:end]


def called(text):
    """Return the calls of maskprep in the shell blocks of a Markdown text."""
    blocks = re.findall(r"^```(?:bash|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").split("\n")
    parts = [part for line in lines for part in re.split(r"&&|;", line) if re.match(r"\s*maskprep ", part)]
    return [words_of(part) for part in parts]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_its_help_shows(name):
    shown = run(name, "--help").stdout
    assert "Examples:\n" in shown
    for line, why in EXAMPLES[name]:
        assert line in shown
        assert why in shown


@pytest.mark.parametrize(("name", "line"), [(name, line) for name in EXAMPLES for line, _ in EXAMPLES[name]])
def test_an_example_is_a_call_that_is_understood(name, line):
    command, *words = words_of(line)
    assert command == name
    COMMANDS[name].make_context(name, words, resilient_parsing=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_names_every_option_of_the_documents_and_cuts_no_text(name):
    shown = run(name, "--help").stdout
    given = {
        word.split("=")[0] for words in called(DOCUMENTS) if words[0] == name for word in words if word[:2] == "--"
    }
    for option in given:
        assert re.search(rf"{option}\b", shown), option
    plain = " ".join(shown.split())
    for parameter in COMMANDS[name].params:
        assert " ".join((parameter.help or "").split()) in plain
    assert "…" not in plain.replace("SOURCE…", "")


def test_the_documents_call_most_commands():
    assert len({words[0] for words in called(DOCUMENTS)}) >= 6


def test_the_list_of_commands_cuts_no_text():
    shown = " ".join(run("--help").stdout.split())
    for command in COMMANDS.values():
        assert " ".join(command.help.split()) in shown
    assert "..." not in shown.replace("[ARGS]...", "")


def test_maskprep_alone_shows_where_to_start():
    outcome = run()
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout == first_screen(re.search(r"maskprep (\S+):", outcome.stdout)[1]) + "\n"
    lines = outcome.stdout.split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for line in lines:
        if line.startswith("  maskprep "):
            name, *words = words_of(line.partition("    ")[0])
            COMMANDS[name].make_context(name, words, resilient_parsing=False)


@pytest.mark.parametrize("short", ["-h", "--help"])
def test_short_and_long_help_are_the_same(short):
    assert run("build", short).stdout == run("build", "--help").stdout
    assert "-o, --output OUT" in run("build", short).stdout


def test_help_is_quick():
    """It takes what Python and typer take: nothing of what builds is imported."""
    heavy = ("numpy", "rich", "yaml", "transformers", "pyarrow", "datasets", "maskprep.config")
    left = f"print([name for name in {heavy} if name in sys.modules])"
    code = f"import sys; from maskprep.cli import main\ntry: main()\nfinally: {left}"
    done = subprocess.run([sys.executable, "-c", code, "build", "-h"], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("[]\n"), done.stdout[-200:]


def completed(line):
    env = {"_MASKPREP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    code = "import sys; sys.argv[0] = 'maskprep'; from maskprep.cli import main; main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("maskprep set", ["settings"]),
        ("maskprep build --profile l", ["llamafactory"]),
        ("maskprep build --set train.t", ["train.tool_call_ids=", "train.turns="]),
        ("maskprep build --set overflow=d", ["overflow=drop_turns"]),
    ],
)
def test_tab_completes(line, found):
    assert completed(line) == found


def test_completion_can_be_installed():
    assert "--install-completion" in run("--help").stdout
