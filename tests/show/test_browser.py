"""Rows in a terminal to leaf through, driven by Textual's own pilot."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from bundled import CONVERSATIONS
from inspections import WITH_TOKENIZER, inspect, sample_build
from page_samples import COMPARED, EVIL, MANY_SCRIPTS, MISMATCH, NEEDLE, PLAIN, TREE, conversation, row
from textual.widgets import Input, OptionList
from unmarked import ACTS

from maskprep.errors import BuildError, UsageError
from maskprep.inspect.browsed import BrowsedBuild, BrowsedViews, count_in, pattern_of
from maskprep.inspect.output import Output
from maskprep.inspect.selection import Selection
from maskprep.show.browse import check_terminal
from maskprep.show.browse_text import TextWindow
from maskprep.show.browser import RowBrowser

VIEWS = (PLAIN, NEEDLE, MANY_SCRIPTS, EVIL, MISMATCH)
WORDS = [f" w{number}" for number in range(1000)]


def browsed(script, views=VIEWS, size=(100, 30)):
    """Run ``script(pilot)`` on a browser of some views."""

    async def run():
        app = RowBrowser(views if hasattr(views, "codes") else BrowsedViews("rows.jsonl", views))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot)

    asyncio.run(run())


def text(pilot):
    return pilot.app.query_one(TextWindow).shown


def told(pilot, name):
    return str(pilot.app.query_one(f"#{name}").content)


async def search(pilot, needle):
    pilot.app.search(needle)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def test_keys_leaf_through_the_rows():
    async def script(pilot):
        assert "What is 2+2?" in text(pilot)
        assert "9 trained" not in told(pilot, "head")
        await pilot.press("j")
        assert "Where is the needle?" in text(pilot)
        assert "2 of 5 rows" in told(pilot, "status")
        for _ in range(4):
            pilot.app.action_step(1)
        assert "the prompt does not stand there" in text(pilot)
        assert "rejected row" in told(pilot, "head") or "row 5" in told(pilot, "head")
        await pilot.press("k")
        assert pilot.app.place == 3
        for _ in range(4):
            pilot.app.action_step(-1)
        assert pilot.app.place == 0

    browsed(script)


@pytest.mark.long
def test_only_what_is_trained():
    async def script(pilot):
        await pilot.press("t")
        assert text(pilot) == "╎It is 4.<|im_end|>"
        assert "only trained" in told(pilot, "status")
        await pilot.press("t")
        assert "What is 2+2?" in text(pilot)

    browsed(script)


def test_the_next_trained_text_is_brought_into_view():
    turns = [*conversation(["\n"] * 50, ["It is so."]), *conversation(["\n"] * 50, ["And so."])]

    async def script(pilot):
        window = pilot.app.query_one(TextWindow)
        lines = window.shown.split("\n")
        for wanted in ("It is so.", "And so.", "It is so."):
            await pilot.press("s")
            assert wanted in lines[window.at]
            top = window.scroll_offset.y
            assert top <= window.at < top + window.size.height

    browsed(script, [row(0, turns)], size=(80, 16))


@pytest.mark.long
def test_long_masked_text_is_folded_until_f():
    async def script(pilot):
        assert "masked tokens …" in text(pilot)
        await pilot.press("f")
        assert "masked tokens …" not in text(pilot)
        assert "w500" in text(pilot)

    browsed(script, [row(0, conversation(WORDS, ["Yes."]))])


def test_search_filters_and_counts_whatever_the_case():
    async def script(pilot):
        await pilot.press("slash")
        pilot.app.query_one(Input).value = "NEEDLE"
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert pilot.app.place == 1
        assert "NEEDLE: 1 match in 1 of 5 rows" in told(pilot, "status")
        await pilot.press("j")
        assert pilot.app.place == 1
        await search(pilot, "what IS")
        assert list(pilot.app.order) == [0]
        await pilot.press("slash", "escape")
        await pilot.app.workers.wait_for_complete()
        assert len(pilot.app.order) == 5
        await search(pilot, "nowhere")
        assert "0 matches in 0 of 5 rows" in told(pilot, "status")

    browsed(script)


@pytest.mark.long
def test_search_takes_regular_expressions():
    async def script(pilot):
        await search(pilot, r"\d\+\d")
        assert not pilot.app.hits
        await pilot.press("r")
        await pilot.app.workers.wait_for_complete()
        assert pilot.app.hits == {0: 1}
        assert "regular expressions" in told(pilot, "status")
        await search(pilot, "(")
        assert "no regular expression" in told(pilot, "status")

    browsed(script)


@pytest.mark.long
def test_what_is_found_is_unfolded_and_gone_to():
    async def script(pilot):
        await search(pilot, "w500 ")
        window = pilot.app.query_one(TextWindow)
        assert "w500 w501" in window.shown.split("\n")[window.at]

    browsed(script, [row(0, conversation(WORDS, ["Yes."]))], size=(60, 12))


@pytest.mark.long
def test_findings_filter_the_rows():
    found = replace(NEEDLE, findings=(("border-split", "a token was split"),))

    async def script(pilot):
        await pilot.press("c")
        options = pilot.app.screen.query_one(OptionList)
        prompts = [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]
        assert prompts == ["all rows (3)", "border-split (1)", "prompt-mismatch (1)"]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert pilot.app.place == 1
        assert "border-split: a token was split" in told(pilot, "head")
        assert "only border-split: 1 row" in told(pilot, "status")
        await pilot.press("j")
        assert pilot.app.place == 1
        await pilot.press("c", "escape")
        await pilot.pause()
        assert list(pilot.app.order) == [1]

    browsed(script, [PLAIN, found, MISMATCH])


def test_both_sides_of_a_comparison_are_shown():
    async def script(pilot):
        assert "⟦+ b⟧" in text(pilot)
        assert "⟦- a⟧" in text(pilot)
        await pilot.press("x", "t")
        assert text(pilot) == "b"
        await pilot.press("x")
        assert text(pilot) == "a"
        assert "the second" in told(pilot, "head")

    browsed(script, [COMPARED])


@pytest.mark.long
def test_there_is_no_other_side_without_a_comparison():
    async def script(pilot):
        before = text(pilot)
        await pilot.press("x")
        assert text(pilot) == before

    browsed(script, [PLAIN])


def test_nothing_of_the_data_acts():
    async def script(pilot):
        strips = pilot.app.screen._compositor.render_strips()
        screen = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        assert not re.search(ACTS, screen)
        assert "[/red]" in text(pilot)
        assert not re.search(ACTS, told(pilot, "head"))

    browsed(script, [EVIL], size=(400, 30))


@pytest.mark.long
def test_a_tree_and_a_packed_row_are_told():
    async def script(pilot):
        assert "a tree of 3 branches" in told(pilot, "head")
        assert "branch 2 of 3" in text(pilot)
        await pilot.press("j")
        assert "document 2 of packed row 7" in told(pilot, "head")

    browsed(script, [TREE, replace(PLAIN, place=(7, 2))])


def test_the_rows_of_a_build_are_read_as_they_are_looked_at():
    rows = BrowsedBuild(Output.open(str(sample_build())), Selection())
    codes = rows.codes()
    assert len(codes["not-json"]) == 1
    assert {len(rows) - 1 - place for places in (codes["not-json"], codes["nan"]) for place in places} <= set(range(10))
    place = codes["border-split"][0]
    assert ("border-split", "a token before messages[1] was split") in rows.view(place).findings

    async def script(pilot):
        await search(pilot, "risotto")
        expected = [at for at in range(len(rows)) if count_in(rows.text(at), pattern_of("risotto", regular=False))]
        assert list(pilot.app.order) == expected
        assert expected

    browsed(script, rows)


def test_a_damaged_row_ends_it_with_the_error_of_the_build():
    class Damaged(BrowsedViews):
        def view(self, place):
            if place:
                raise BuildError("row 1 is damaged")
            return super().view(place)

        def text(self, place):
            return self.view(place).text

    for keys in (["j"], ["slash", "a", "enter"]):

        async def script(pilot, keys=keys):
            await pilot.press(*keys)
            await pilot.pause()
            assert pilot.app.return_value.message == "row 1 is damaged"

        browsed(script, Damaged("out", [PLAIN, NEEDLE]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--browse needs a terminal"),
        (("--json",), "--browse and --json cannot go together"),
        (("--html", "x.html"), "--browse and --html cannot go together"),
        (("--stats",), "--browse and --stats cannot go together"),
    ],
)
def test_where_rows_cannot_be_leafed_through_it_is_said(words, said):
    outcome = inspect(sample_build(), "--browse", *words)
    assert outcome.code == 2
    assert said in outcome.stderr + outcome.stdout


def test_without_textual_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("maskprep.show.browse.find_spec", lambda name: None)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(sys, stream, SimpleNamespace(isatty=lambda: True))
    with pytest.raises(UsageError) as caught:
        check_terminal()
    assert caught.value.hint == "pip install 'maskprep[browse]'"


def test_only_who_leafs_through_rows_imports_textual():
    script = "import sys, maskprep.cli, maskprep.show.browse, maskprep.show.rows; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_source_is_taken_but_not_standard_input():
    outcome = inspect("-", *WITH_TOKENIZER, "--browse", stdin=CONVERSATIONS.read_bytes())
    assert outcome.code == 2
    assert "--browse needs the keyboard" in outcome.stderr
