"""Lines on a terminal: wrapped at words, what follows standing further to the right; elsewhere one line each."""

from __future__ import annotations

import io
import re

import pytest
from unmarked import stripped, styled

from maskprep.show.console import PlainConsole
from maskprep.show.tables import line, verbatim

WORDS = "for example rows.jsonl:12: messages[1].role is 'narrator', which is not a role. The roles are system, user."


def printed(show, width=60, *, terminal=True):
    out = PlainConsole(io.StringIO(), terminal=terminal, width=width)
    show(out)
    return out.file.getvalue()


@pytest.mark.parametrize("width", [60, 72, 80, 120, 200])
def test_words_are_wrapped_at_words_with_a_hanging_indent(width):
    lines = stripped(printed(lambda out: line(out, "    " + WORDS), width)).split("\n")[:-1]
    assert all(len(each) <= width for each in lines)
    assert lines[0].startswith("    for")
    assert all(re.match(r" {6}\S", each) for each in lines[1:])
    assert " ".join(each.strip() for each in lines) == WORDS


def test_a_wide_character_takes_two_columns():
    lines = printed(lambda out: line(out, "你好 " * 40), 60).split("\n")[:-1]
    assert len(lines[0]) <= 36
    assert len(lines) == 4


def test_elsewhere_a_line_stays_one():
    assert printed(lambda out: line(out, WORDS), terminal=False) == WORDS + "\n"


def test_a_path_is_never_torn():
    path = "/data/" + "folder/" * 20 + "rows.jsonl"
    assert path in printed(lambda out: line(out, f"all of them, with their reasons: {path}"))
    assert (
        printed(lambda out: verbatim(out, f"  maskprep inspect {path} --stats"))
        == f"  maskprep inspect {path} --stats\n"
    )


def test_a_label_alone_is_painted():
    codes = dict(styled(printed(lambda out: line(out, " " + WORDS, "bold", label="  fix:"))))
    assert codes["fix:"] == {"1"}
    assert all(not given for text, given in codes.items() if text != "fix:")


def test_a_styled_line_is_painted_on_each_of_its_lines_and_not_before_them():
    pieces = styled(printed(lambda out: line(out, "  " + WORDS, "bold")))
    painted = [text for text, given in pieces if given]
    assert len(painted) == 2
    assert " ".join(painted) == WORDS


@pytest.mark.parametrize("text", ["", " ", "   ", "\n", "a  b", " a ", "\x1b[2J x"])
def test_any_text_is_one_line_where_there_is_room(text):
    assert printed(lambda out: line(out, text)).count("\n") == 1
