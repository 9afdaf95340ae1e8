"""Rows on a terminal: plain text with the colours of the mask as spans."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_samples import EVIL, HOSTILE, MANY_SCRIPTS, MISMATCH, NOT_JSON, PLAIN, SCRIPTS, TREE, conversation, row
from rich.console import Console
from rich.style import Style
from rich.text import Text
from unmarked import ACTS, stripped, styled, unmark

from maskprep.conversation import Where
from maskprep.inspect.command import InspectReport
from maskprep.inspect.excerpt import Excerpt
from maskprep.inspect.views import RejectView
from maskprep.show import styles
from maskprep.show.marks import token_text, visible
from maskprep.show.rows import FOLDED, row_text, show_rows

SPECIAL = "italic underline"
SCAFFOLD = "italic"
TRAINED = styles.TRAINED
STOP = f"{styles.STOP} underline"


def spans(text: Text) -> list[tuple[str, str]]:
    """Return a text as its stretches, each with the style that was given to it; the stretches must tile it."""
    at, found = 0, []
    for span in sorted(text.spans, key=lambda span: span.start):
        assert span.start >= at, "two styles at one place"
        if span.start > at:
            found.append((text.plain[at : span.start], ""))
        found.append((text.plain[span.start : span.end], str(span.style)))
        at = span.end
    return [*found, (text.plain[at:], "")] if at < len(text) else found


def printed(*views, colour="truecolor", no_color=False, width=120, total=None, **options):
    """Return what is printed of views on a terminal with or without colours."""
    out = Console(
        file=io.StringIO(),
        force_terminal=colour is not None,
        color_system=colour,
        no_color=no_color,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
    )
    given = {"full": False, "table": False, **options}
    show_rows(out, InspectReport("there", total, tuple(views)), **given)
    return out.file.getvalue()


def long_row(masked: int):
    """Return a row of one long masked stretch between two trained ones."""
    words = [(f"w{index} ", "user", "content", 0, "") for index in range(masked)]
    answer = ("yes", "assistant", "content", 1, "t")
    return row(7, [("<s>", "template", "scaffold", -1, "s"), answer, *words, answer])


# Colours


def test_every_kind_of_token_has_its_own_style():
    assert spans(row_text(PLAIN, full=False, bracketed=False)) == [
        ("<|im_start|>", SPECIAL),
        ("user↵\n", SCAFFOLD),
        ("What is 2+2?", ""),
        ("<|im_end|>", SPECIAL),
        ("↵\n", SCAFFOLD),
        ("<|im_start|>", SPECIAL),
        ("assistant↵\n", SCAFFOLD),
        ("╎", styles.CUT),
        ("It is 4.", TRAINED),
        ("<|im_end|>", STOP),
        ("↵\n", SCAFFOLD),
    ]


@pytest.mark.parametrize(
    ("role", "part", "flags", "style"),
    [
        ("system", "content", "", ""),
        ("user", "content", "s", "underline"),
        ("assistant", "scaffold", "", "italic"),
        ("template", "tools", "", ""),
        ("assistant", "content", "t", styles.TRAINED),
        ("assistant", "reasoning", "t", styles.TRAINED),
        ("assistant", "tool_call", "ts", f"{styles.TRAINED} underline"),
        ("assistant", "scaffold", "t", styles.TRAINED_TEMPLATE),
        ("assistant", "stop", "t", styles.STOP),
        ("someone", "content", "", ""),
    ],
)
def test_a_style_for_each_role_and_part(role, part, flags, style):
    assert spans(row_text(row(0, [("x", role, part, 0, flags)]), full=True, bracketed=False)) == [("x", style)]


def test_the_terminal_gets_the_styles():
    output = printed(PLAIN)
    assert ("It is 4.", {"38", "48", "5", "16", "114"}) in styled(output)
    assert ("<|im_end|>", {"4", "38", "48", "5", "231", "90"}) in styled(output)
    assert any("What is 2+2?" in text and not codes for text, codes in styled(output))
    assert "⟦" not in output.split("legend:")[0]


def test_the_legend_shows_each_style_as_it_is_used():
    legend = dict(styled(printed(PLAIN).split("legend:")[1]))

    def codes(style):
        return frozenset(re.findall(r"\d+", Style.parse(style).render("x").split("x")[0]))

    for label, style in {
        "trained": TRAINED,
        "trained template tokens": styles.TRAINED_TEMPLATE,
        "stop token": styles.STOP,
        "  masked  ": "",
        "template tokens": SCAFFOLD,
        "special token": "underline",
    }.items():
        assert legend[label] == codes(style), label
    rest = "".join(legend)
    for mark in ("╎ a token was split", "↵ line break", "⇥ tab", "· blank", "‹E4› part of a character", "\\xa0"):
        assert mark in rest


def test_the_legend_is_wrapped_at_words():
    legend = stripped(printed(PLAIN, width=60)).partition("legend:")[2].split("\n")
    assert len(legend) > 2
    assert max(map(len, legend)) <= 60
    joined = " ".join(" ".join(legend).split())
    for words in ("special token", "‹E4› part of a character", "\\xa0 spelt-out character"):
        assert words in joined


@pytest.mark.parametrize("how", [{"colour": None}, {"no_color": True}, {"no_color": True, "colour": "standard"}])
def test_without_colour_trained_text_stands_in_brackets(how):
    text = stripped(printed(PLAIN, **how))
    assert "assistant↵\n⟦╎It is 4.<|im_end|>⟧↵\n" in text
    assert "legend: ⟦trained⟧" in text
    assert text.count("⟦") == 2


def test_the_joined_text_is_the_row():
    for view in (PLAIN, MANY_SCRIPTS, long_row(500)):
        assert unmark(row_text(view, full=True, bracketed=False).plain) == b"".join(token.data for token in view.tokens)


# Headings


def test_the_heading_counts():
    first = printed(PLAIN, total=1234, colour=None).split("\n")[0]
    assert first == "row 0 of 1,234  data/rows.jsonl:1  sequence 0  19 tokens, 6 trained (31.6%)"
    assert printed(PLAIN, colour=None).startswith("row 0  data/rows.jsonl:1  ")
    assert "0 tokens, 0 trained (-)" in printed(row(0, []), colour=None)


def test_findings_of_one_code_are_folded():
    found = [("b-code", "first b"), ("a-code", "only a"), ("b-code", "second b"), ("b-code", "third b")]
    view = row(0, conversation(["a"], ["b"]), findings=found)
    assert printed(view, colour=None).split("\n")[1:3] == ["  b-code: first b (and 2 more)", "  a-code: only a"]
    whole = printed(view, colour=None, full=True).split("\n")[1:5]
    assert whole == ["  b-code: first b", "  a-code: only a", "  b-code: second b", "  b-code: third b"]


def test_rows_stand_apart_under_one_legend():
    output = printed(PLAIN, long_row(3), colour=None)
    assert output.count("legend:") == 1
    assert "\n\nrow 7  " in output


# Folding


@pytest.mark.parametrize(("masked", "hidden"), [(1, 0), (FOLDED, 0), (FOLDED + 1, 1), (872, 812)])
def test_long_masked_stretches_are_folded(masked, hidden):
    view = long_row(masked)
    text = row_text(view, full=False, bracketed=True).plain
    assert re.findall(r" … ([\d,]+) masked tokens … ", text) == ([f"{hidden:,}"] if hidden else [])
    assert text.count("⟦yes⟧") == 2
    assert len(re.findall(r"\bw\d+", text)) == masked - hidden
    whole = row_text(view, full=True, bracketed=True).plain
    assert "masked tokens" not in whole
    assert len(re.findall(r"\bw\d+", whole)) == masked


def test_a_fold_keeps_both_ends():
    text = row_text(long_row(872), full=False, bracketed=True).plain
    assert "⟦yes⟧w0 w1 " in text
    assert "w29· … 812 masked tokens … w842 " in text
    assert "w871·⟦yes⟧" in text


def test_trained_text_is_never_folded():
    pieces = [("<s>", "template", "scaffold", -1, ""), *[("x ", "assistant", "content", 0, "t")] * 500]
    assert row_text(row(0, pieces), full=False, bracketed=True).plain.count("x") == 500


def test_text_that_was_sought_is_not_folded_away():
    text = row_text(long_row(872), full=False, bracketed=True, find="w400 w401").plain
    assert re.findall(r" … (\d+) masked tokens … ", text) == ["358", "428"]
    assert "w388 " in text
    assert "w400 w401 " in text
    assert "w413· …" in text
    assert "w500" not in text


def test_where_text_stands_is_known_by_its_bytes():
    view = row(0, [(piece, "user", "content", 0, "") for piece in (b"a\xe4", b"\xbd\xa0b", "cab", "", "ca")])
    assert view.holding("你") == {0, 1}
    assert view.holding("ca") == {2, 4}
    assert view.holding("bc") == {1, 2, 3, 4}
    assert view.holding("zz") == view.holding("") == set()


# White space and parts of characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("a  b   c", "a··b···c"),
        (" a ", "·a·"),
        ("a\n b \nc", "a↵\n·b·↵\nc"),
        ("\ta\t", "⇥a⇥"),
        ("\n\n", "↵\n↵\n"),
        ("   ", "···"),
        ("a\u00a0b\u3000c\u2003", "a\\xa0b\\u3000c\\u2003"),
        ("a\r\nb", "a\\r↵\nb"),
        ("⟦x⟧ ╎", "\\u27e6x\\u27e7 \\u254e"),
    ],
)
def test_white_space_is_visible(text, shown):
    assert visible(text) == shown


def test_a_blank_before_a_word_stays_white_unless_it_begins_a_line():
    assert visible(" a", fresh=False) == " a"
    assert visible(" ", fresh=False) == "·"
    pieces = [("\n", "user", "content", 0, ""), (" a", "tool", "content", 0, ""), (" b", "user", "content", 0, "")]
    assert row_text(row(0, pieces), full=True, bracketed=False).plain == "↵\n·a b"


def test_blanks_are_judged_in_their_text_and_not_token_by_token():
    pieces = [(piece, "user", "content", 0, "") for piece in ("is", " ", "2024", " ", " ", "x", " ")]
    assert row_text(row(0, pieces), full=True, bracketed=False).plain == "is 2024··x·"


def test_parts_of_characters_are_shown_as_bytes():
    pieces = [(piece, "assistant", "content", 0, "t") for piece in (b"a", b"\xe4\xbd", b"\xa0", b" \xe5", "ok")]
    assert row_text(row(0, pieces), full=True, bracketed=True).plain == "⟦a‹E4›‹BD›‹A0›‹20›‹E5›ok⟧"


def test_many_scripts_stay_readable():
    whole = [piece for piece in SCRIPTS if isinstance(piece, str)]
    text = row_text(row(0, conversation(whole, whole)), full=True, bracketed=False).plain
    for readable in ("مرحبا بالعالم", "שלום עולם", "e\u0301", "\U0001f469\u200d\U0001f467", "हिन्दी"):
        assert text.count(readable) == 2
    # Letters that join, and marks on letters, lie in one span, whatever the tokens.
    pieces = [(piece, "user", "content", 0, "") for piece in ("مر", "ح", "با", "e", "\u0301")]
    assert spans(row_text(row(0, pieces), full=True, bracketed=False)) == [("مرحباe\u0301", "")]


PIECE = st.tuples(
    st.text(st.characters(exclude_characters="·↵⇥‹›\\⟦⟧╎", exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["user", "assistant", "template"]),
    st.sampled_from(["", "t", "s", "tb"]),
    st.integers(0, 5),
)


@given(st.lists(PIECE, max_size=30))
def test_marks_undone_give_the_bytes_of_the_row(drawn):
    tokens = []
    for text, role, flags, cut in drawn:
        data = text.encode()
        tokens += [(part, role, "content", 0, flags) for part in (data[:cut], data[cut:]) if part]
    view = row(0, tokens)
    data = b"".join(token.data for token in view.tokens)
    plain = row_text(view, full=True, bracketed=False).plain
    assert unmark(plain) == data
    assert not ACTS.search(plain)
    trained = re.findall("⟦(.*?)⟧", row_text(view, full=True, bracketed=True).plain, re.DOTALL)
    assert unmark("".join(trained)) == b"".join(token.data for token in view.tokens if token.trained)


# Tables


def test_the_table_has_one_line_a_token():
    lines = printed(PLAIN, table=True, colour=None).split("\n")
    assert lines[1].split() == ["index", "id", "text", "label", "role", "part", "message"]
    table = [line.rstrip() for line in lines[2:-1]]
    assert len(table) == len(PLAIN.tokens)
    assert table[0].split() == ["0", "100", "<|im_start|>", "-100", "template", "scaffold"]
    assert table[1].split() == ["1", "101", "user↵", "-100", "template", "scaffold"]
    first = next(token for token in PLAIN.tokens if token.trained)
    number, id_ = str(first.index), str(first.id)
    assert table[first.index].split() == [number, id_, "╎It", id_, "assistant", "content", "1"]
    assert "legend" not in lines[-1]


def test_a_token_of_any_length_has_one_line_in_the_table():
    pieces = [("-" * 400, "user", "content", 0, ""), ("a b " * 100, "user", "content", 0, ""), ("x", "u", "c", 0, "")]
    for width in (40, 80, 120):
        assert len(printed(row(0, pieces), table=True, colour=None, width=width).split("\n")) == 6


def test_tokens_by_themselves():
    (token,) = row(0, [(b" \n\xff", "user", "content", 0, "")]).tokens
    assert token_text(token) == "‹20›‹0A›‹FF›"
    (token,) = row(0, [(" \n", "user", "content", 0, "")]).tokens
    assert token_text(token) == "·↵"


# Rejected rows


def test_a_mismatch_shows_the_two_texts_one_under_the_other():
    lines = printed(MISMATCH, colour=None).split("\n")
    assert lines[0] == "row 5  data/rows.jsonl:6  rejected: prompt-mismatch"
    prompt, rendered = (next(line for line in lines if name in line) for name in ("server's prompt", "as rendered"))
    assert prompt.index("▶") == rendered.index("▶")
    assert prompt.endswith("<|User|>Hi<|Assistant|>▶<think>↵")
    assert rendered.endswith("<|User|>Hi<|Assistant|>▶</think>Oslo.")
    assert lines[-2] == "fix: choose --prompt-mismatch graft or train"


def test_the_place_where_two_texts_part_is_in_one_column():
    details = {**MISMATCH.details, "prompt": {"before": "é\n" * 100 + "x", "after": "y"}}
    details["rendered"] = {"before": "short", "after": "\x1b" * 500}
    lines = printed(replace(MISMATCH, details=details), colour=None).split("\n")
    columns = {line.index("▶") for line in lines if "▶" in line and "the two texts" not in line}
    assert len(columns) == 1


def test_what_each_way_out_of_a_mismatch_trains():
    details = {
        "message": 1,
        "prompt": {"before": "<A>", "after": "<think>\n"},
        "rendered": {"before": "<A>", "after": "<h>Oslo.<e>\n"},
        "graft": "<A><think>\nOslo.<e>",
        "train": "Oslo.<e>",
    }
    view = RejectView(1, Where("f", 2, 0), "prompt-mismatch", "m", "", details, "")
    lines = [line.strip() for line in printed(view, colour=None).split("\n")]
    assert re.split(r" {2,}", lines[-3]) == ["graft", "<A><think>↵⟦Oslo.<e>⟧"]
    assert re.split(r" {2,}", lines[-2]) == ["train", "<A><h>⟦Oslo.<e>⟧"]


def test_the_text_around_a_fault():
    around = Excerpt("column 9", '{"a": 1,\x1b', "}")
    view = RejectView(3, Where("f", 4, 0), "not-json", "not JSON: here", "mend it", {}, "", around)
    assert printed(view, colour=None).split("\n")[:4] == [
        "row 3  f:4  rejected: not-json",
        "not JSON: here",
        'column 9: {"a": 1,\\x1b▶}',
        "fix: mend it",
    ]


def test_a_reject_of_which_nothing_more_is_known():
    view = RejectView(-1, Where("f", 4, 0), "not-json", "not JSON: here", "", {}, "")
    assert printed(view, colour=None) == "f:4  rejected: not-json\nnot JSON: here\n"


# Hostile text


@pytest.mark.parametrize("how", [{}, {"table": True}, {"full": True}, {"colour": None}, {"no_color": True}])
def test_hostile_text_does_nothing(how):
    output = printed(EVIL, MISMATCH, NOT_JSON, **how)
    text = stripped(output)
    assert "\x1b" not in text
    assert not ACTS.search(text)
    for shown in ("<script>window.hacked=1</script>", "[/red]", "\\x1b]8;;http", "\\x1b[2J", "\\u202e", "\\u2028"):
        assert shown in text, shown


def test_text_cannot_pass_for_trained():
    forged = conversation(["⟦yes⟧", " ⟦", "\\u27e6"], ["no"])
    text = row_text(row(0, forged), full=True, bracketed=True).plain
    assert re.findall("⟦(.*?)⟧", text, re.DOTALL) == ["╎no<|im_end|>"]


def test_every_hostile_text_alone():
    for text in HOSTILE:
        shown = row_text(row(0, [(text, "user", "content", 0, "")]), full=True, bracketed=True).plain
        assert not ACTS.search(shown)
        assert shown


def test_a_tree_is_seen_at_a_glance():
    """Each branch stands below what is there already, behind a bar for each one that it hangs on."""
    lines = row_text(TREE, full=True, bracketed=True).plain.split("\n")
    assert lines[-5:] == [
        "├─ branch 2 of 3, instead of what follows token 11 (branch 1): 2 tokens, 2 trained, of messages[1]",
        "│  ↵",
        "│  ⟦<think>Eins⟧",
        "│  ├─ branch 3 of 3, instead of what follows token 13 (branch 2): 1 token, 1 trained, of messages[1]",
        "│  │  <think>⟦Uno⟧",
    ]
    shown = printed(TREE, colour=None)
    assert "sequence 0  a tree of 3 branches" in shown
    table = [line.split() for line in printed(TREE, colour=None, table=True).split("\n")]
    assert [line[:3] for line in table if line and line[0] in {"11", "12", "15"}] == [
        ["11", "1", "111"],
        ["12", "2", "112"],
        ["15", "3", "115"],
    ]
