"""Text from data, templates and file names that would act on a terminal, or pass for a line of maskprep's own."""

from __future__ import annotations

import json
import os
import pty
import re
import select

import pytest
from builds import chat, rejects
from bundled import ROOT, TOKENIZER

EVIL = "\x1b[31mred \x1b]8;;http://evil\x1b\\link\x1b]8;;\x07 \x9b31m \u202egnp.exe \u2066x\u2069 "
EVIL += "\u2028 [/red] [bold] \x7f\b"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
RAISES = "{{ raise_exception(messages[0].content) }}"


def hostile_builds(source, place):
    """Yield exit codes and arguments of builds that fail, each with hostile text at another place."""
    (place / "raises.jinja").write_text(RAISES)
    rows = source(chat(EVIL, "answer"))
    yield 1, rows, "--chat-template", "raises.jinja"
    yield 1, source({"messages": [{"role": EVIL, "content": "x"}]}, name="role.jsonl")
    yield 1, source({EVIL: EVIL}, name="key.jsonl")
    yield 1, source(f'{{"{EVIL}'.encode(), name="cut.jsonl")
    yield 1, source({"messages": [{"role": "user", "content": [{"type": EVIL}]}]}, name="part.jsonl")
    yield 2, rows, "--chat-template", EVIL.replace("/", "")
    (place / "broken.jinja").write_text("{% if " + EVIL + " %}")
    yield 2, rows, "--chat-template", "broken.jinja"
    yield 2, rows, "--set", f"{EVIL.replace('.', '')}=1"
    yield 2, rows, "--set", f"history={json.dumps(EVIL)}"
    yield 2, rows, "--set", f"stop_tokens={json.dumps([EVIL])}"
    yield 2, EVIL
    yield 2, rows, "--config", EVIL
    (place / "config.yaml").write_text(json.dumps({EVIL: 1}))
    yield 2, rows, "--config", "config.yaml"
    (place / "raw.yaml").write_text("x: [\x1b[31m")
    yield 2, rows, "--config", "raw.yaml"


def test_hostile_text_reaches_no_terminal_raw(build, source, place):
    for number, (code, *args) in enumerate(hostile_builds(source, place)):
        for more in ((), ("--json",)):
            outcome = build(*args, "--output", f"out{number}", *more)
            assert outcome.code == code, args
            assert not ACTS.search(outcome.stdout), (args, outcome.stdout)
            assert not ACTS.search(outcome.stderr), (args, outcome.stderr)
            assert "Traceback" not in outcome.stderr
            assert re.search(r"\\x1b|\\u001b|#x001b", outcome.stdout if more else outcome.stderr), args


def test_markup_in_data_stays_text(build, source, place):
    (place / "raises.jinja").write_text(RAISES)
    outcome = build(
        source(chat("[/red] [bold]x[/bold] :smile:", "b")), "--chat-template", "raises.jinja", "--output", "o"
    )
    assert outcome.code == 1
    assert "[/red] [bold]x[/bold] :smile:" in outcome.stderr


def test_hostile_names_of_files_that_are_used(build, source, place):
    name = EVIL.replace("/", "") + ".jsonl"
    source(chat("a", "<|im_start|>"), {}, name=name)
    output = "out " + EVIL.replace("/", "")
    outcome = build(name, "--output", output, "--max-rejects", "1")
    assert outcome.code == 0, outcome
    assert not ACTS.search(outcome.stdout)
    assert "\\x1b[31mred" in outcome.stdout
    # The facts themselves are kept as they are.
    assert rejects(place / output)[0]["file"] == name


def test_rejects_are_ascii_whatever_they_quote(build, source, place):
    (place / "raises.jinja").write_text(RAISES)
    assert build(source(chat(EVIL, "answer")), "--chat-template", "raises.jinja", "--output", "out").code == 1
    raw = (place / "out" / "maskprep" / "rejects.jsonl").read_bytes()
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert EVIL in rejects(place / "out")[0]["message"]


@pytest.mark.parametrize("text", ["x\nmaskprep build: done", "x\r\nmaskprep build: done"])
def test_data_cannot_write_a_line_of_its_own(build, source, place, text):
    (place / "raises.jinja").write_text(RAISES)
    outcome = build(source(chat(text, "b")), "--chat-template", "raises.jinja", "--output", "out")
    assert outcome.code == 1
    assert not re.search(r"^maskprep build: done", outcome.stderr, re.MULTILINE)


def on_terminal(start, *args, **env):
    """Run a build whose output and messages go to a terminal; return its exit code and what the terminal got."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "200", **env}
    process = start(*args, stdin=None, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while select.select([ours], [], [], 120)[0]:
            block = os.read(ours, 65536)
            if not block:
                break
            said += block
    except OSError:  # the terminal's other end is closed
        pass
    finally:
        os.close(ours)
    return process.popen.wait(timeout=60), said.decode()


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])(?:;\d+)*m")


def test_a_terminal_is_given_colour_and_a_bar(start, source, place):
    code, said = on_terminal(start, source(chat("a", "b")), "--output", "out")
    assert code == 0, said
    assert COLOUR.search(said)
    assert "building" in said


@pytest.mark.long
def test_NO_COLOR_is_obeyed_on_a_terminal(start, source, place):
    code, said = on_terminal(start, source(chat("a", "b")), "--output", "out", NO_COLOR="1")
    assert code == 0, said
    assert "maskprep build: done" in said
    assert not COLOUR.search(said)


@pytest.mark.long
def test_a_pipe_is_given_plain_text(start, place):
    process = start(ROOT / "sample_data" / "conversations.jsonl", "--output", "out", "--max-rejects", "1")
    outcome = process.finish()
    assert outcome.code == 0
    assert "\x1b" not in outcome.stdout
    assert outcome.stderr == ""
    assert "rejected rows:" in outcome.stdout
    # A table row stands on one line, whatever the width of the terminal that is not there.
    assert re.search(r"^assistant +content +[\d,]+ +[\d,]+ +[\d.]+% +[\d.]+%$", outcome.stdout, re.MULTILINE)


def test_the_bundled_tokenizer_is_where_the_tests_look_for_it():
    assert (TOKENIZER / "tokenizer.json").is_file()
