"""``maskprep inspect`` on a terminal: colours, brackets where there are none, and a pager where it is longer."""

from __future__ import annotations

import os
import re

import pytest
from bundled import CONVERSATIONS, TOKENIZER
from inspections import on_screen, on_terminal, sample_build, shown
from unmarked import SGR, stripped, styled

from maskprep.cli.paging import _overflows, _page, show_paged

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|10[0-7])(?:;\d+)*m")


def body(output):
    return output.split("\n\nlegend:")[0].split("\n", 1)[1]


def test_a_terminal_is_given_colours():
    output = on_screen(sample_build(), "--row", "3", lines=200)
    assert COLOUR.search(output)
    assert "\x1b" not in SGR.sub("", output)
    plain = shown(sample_build(), "--row", "3")
    assert "⟦" not in stripped(output)
    # The text is the same; what is bracketed there is in the colours of trained text here.
    assert stripped(body(output)) == re.sub("[⟦⟧]", "", body(plain))
    trained = "".join(text for text, codes in styled(body(output)) if "48" in codes)
    bracketed = "".join(re.findall("⟦(.*?)⟧", body(plain), re.DOTALL))
    assert trained == bracketed.replace("\n", "")  # each line begins its colours anew


@pytest.mark.long
def test_NO_COLOR_on_a_terminal_brackets_what_is_trained():
    code, output = on_terminal(sample_build(), "--row", "3", lines=200, NO_COLOR="1")
    assert code == 0
    assert not COLOUR.search(output)
    assert body(stripped(output)) == body(shown(sample_build(), "--row", "3"))


def test_a_terminal_without_colours_is_like_a_pipe():
    output = on_screen(sample_build(), "--row", "3", lines=200, TERM="dumb")
    assert "\x1b" not in output
    assert body(output) == body(shown(sample_build(), "--row", "3"))
    legends = [text.partition("legend:")[2].split() for text in (output, shown(sample_build(), "--row", "3"))]
    assert legends[0] == legends[1]  # which is wrapped on a terminal


@pytest.mark.long
def test_a_pager_where_the_output_is_longer_than_the_screen(tmp_path):
    code, output = on_terminal(sample_build(), "--rows", ":5", "--full", lines=20, PAGER=f"tee {tmp_path}/told")
    assert code == 0
    assert stripped((tmp_path / "told").read_text("utf-8")) == stripped(output)
    assert COLOUR.search(output)
    assert output.count("legend:") == 1


def test_no_pager_where_it_fits(tmp_path):
    output = on_screen(sample_build(), lines=400, PAGER=f"tee {tmp_path}/told")
    assert "legend:" in output
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    "words", [("--stats",), ("--compare", sample_build), ("--tokens",)], ids=lambda words: words[0]
)
def test_whatever_is_long_is_paged(tmp_path, words):
    words = [word() if callable(word) else word for word in words]
    assert on_screen(sample_build(), *words, lines=3, PAGER=f"cat > {tmp_path}/told") == ""
    told = stripped((tmp_path / "told").read_text("utf-8"))
    assert told.split() == shown(sample_build(), *words).split()  # long lines are wrapped on a terminal


def test_no_pager_in_a_pipe(monkeypatch, tmp_path):
    monkeypatch.setenv("PAGER", f"touch {tmp_path}/told; cat")
    assert shown(CONVERSATIONS, "--tokenizer", str(TOKENIZER), "--rows", ":", "--full").count("\n") > 400
    assert not (tmp_path / "told").exists()


def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch):
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        show_paged(lambda out: out.print("a line of many" * 10_000))
        show_paged(lambda out: out.print("and another"))


def test_a_screen_is_measured_in_cells():
    assert not _overflows("a\n" * 9, 80, 10)
    assert _overflows("a\n" * 10, 80, 10)
    assert _overflows("a" * 800 + "\n", 80, 10)
    assert not _overflows("a" * 720 + "\n", 80, 10)
    assert _overflows("世" * 400 + "\n", 80, 10)
    assert not _overflows("\x1b[1m\x1b[0m" * 200 + "\n", 80, 10)
    assert not _overflows("", 80, 10)


def test_what_a_pager_leaves_unsaid(monkeypatch, tmp_path):
    """Without a pager that runs, the text is printed by ourselves; one that is left early is no error."""
    monkeypatch.setenv("TERM", "xterm")
    for command, paged in (("", False), ("no-such-pager-xyz 2>/dev/null", False), ("true", True)):
        monkeypatch.setenv("PAGER", command)
        assert _page("line\n" * 100_000) is paged
    monkeypatch.delenv("PAGER")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not _page("text")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("PAGER", "true")
    assert not _page("text")


def test_less_is_told_to_let_colours_pass(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("LESS", raising=False)
    monkeypatch.setenv("PAGER", f'cat > {tmp_path}/text; printf "%s" "$LESS" > {tmp_path}/less')
    assert _page("é\ud800\n")
    assert (tmp_path / "less").read_text() == "FRX"
    assert (tmp_path / "text").read_bytes() == "é\\ud800\n".encode()
    monkeypatch.setenv("LESS", "-S")
    assert _page("x")
    assert (tmp_path / "less").read_text() == "-S"
    assert "LESS" in os.environ
