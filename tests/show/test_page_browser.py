"""The page in a real browser: what it shows, what it lets one do, and that nothing of the data acts."""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import replace

import pytest
from page_browser import Page, chromium
from page_samples import (
    COMPARED,
    EVIL,
    HOSTILE,
    MANY_SCRIPTS,
    MERGED,
    MISMATCH,
    NEEDLE,
    NOT_JSON,
    PLAIN,
    TREE,
    VIEWS,
    conversation,
    row,
)

from maskprep.inspect.excerpt import Excerpt
from maskprep.show.page import write_page
from maskprep.show.page_data import PageData
from maskprep.show.safe import safe
from maskprep.show.verify_page import write_verify_page
from maskprep.verify.command import VerifyReport
from maskprep.verify.result import Result, Verdict

pytestmark = [pytest.mark.browser, pytest.mark.long]
TITLE = "a build </title><script>window.hacked=1</script>"


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(path, TITLE, VIEWS, None)
    return path


@pytest.fixture
def page(driver, file):
    page = Page(driver).open(file)
    yield page
    assert page.driver.get_log("browser") == []
    acted = page.run("return [typeof window.hacked, document.title, performance.getEntriesByType('resource').length]")
    assert acted == ["undefined", TITLE, 0]


@pytest.mark.parametrize("view", [PLAIN, NEEDLE, MANY_SCRIPTS, EVIL, COMPARED], ids=lambda view: str(view.number))
def test_the_text_that_is_shown_is_the_row(page, view):
    page.show(view)
    assert page.row() == b"".join(token.data for token in view.tokens)
    page.click("#only-trained")
    assert page.row() != b"".join(token.data for token in view.tokens)


def test_each_branch_of_a_tree_stands_under_what_it_hangs_on(driver, tmp_path):
    path = tmp_path / "tree.html"
    write_page(path, "trees", [TREE], None)
    page = Page(driver).open(path)
    assert page.row() == b"".join(token.data for token in TREE.tokens)
    headings = page.run(
        "return [...document.querySelectorAll('#row .branch')].map((h) => [h.textContent, h.dataset.level])"
    )
    assert headings == [
        ["branch 2 of 3instead of what follows token 11 of branch 1: 2 tokens, 2 trained", "1"],
        ["branch 3 of 3instead of what follows token 13 of branch 2: 1 token, 1 trained", "2"],
    ]
    blocks = "[...document.querySelectorAll('#row .block:not(.branch)')]"
    told = page.run(f"return {blocks}.map((block) => [block.textContent, block.dataset.level ?? ''])")
    assert told[-2:] == [["assistant 1\n<think>Eins", "1"], ["assistant 1<think>Uno", "2"]]
    lefts = page.run("return [...document.querySelectorAll('#row .block')].map((b) => b.getBoundingClientRect().left)")
    assert lefts[0] < lefts[-3] < lefts[-1]


def test_trained_text_is_what_the_labels_say(page):
    for view in (PLAIN, MANY_SCRIPTS, EVIL):
        page.show(view)
        trained = page.run(
            "return [...document.querySelectorAll('.segment.trained')].map((s) => s.textContent).join('')"
        )
        masked = page.run("return [...document.querySelectorAll('.segment.masked')].map((s) => s.textContent).join('')")
        assert trained.startswith({0: "It is", 2: "مرحبا بالعالم", 3: HOSTILE[0]}[view.number])
        assert "<|im_start|>user" in masked
    assert f"{EVIL.trained} trained" in page.text("#heading")


def test_a_hostile_row_is_text_and_nothing_else(page):
    page.show(EVIL)
    assert (
        page.run("return document.querySelectorAll('#row script, #row img, #row svg, #row a, #heading b b').length")
        == 0
    )
    shown = page.text("#row")
    for text in ("<script>window.hacked=1</script>", "[/red]", "\\x1b[2J", "\\u202egpj.exe\\u202c", "\\x1b]8;;http"):
        assert text in shown
    assert "\\x1b[2J\\u202e.jsonl" in page.text("#heading")
    page.click("#tab-overview")
    assert "</script><img src=x onerror=window.hacked=1>\\u202e[/red]" in page.text("#overview")


def test_the_policy_stops_a_script_and_a_handler_that_are_planted(driver, file, tmp_path):
    planted = tmp_path / "planted.html"
    evil = (
        "<script>window.hacked=1</script><img src='data:,' onerror='window.hacked=2'><style>body{display:none}</style>"
    )
    planted.write_text(file.read_text(encoding="utf-8").replace("<main>", f"{evil}<main>"), encoding="utf-8")
    page = Page(driver).open(planted)
    refused = " ".join(entry["message"] for entry in driver.get_log("browser"))
    assert refused.count("Content Security Policy") >= 3
    assert page.run("return [typeof window.hacked, getComputedStyle(document.body).display]") == ["undefined", "flex"]
    # And were data ever to be taken for markup by a fault of ours, the browser would refuse that, too.
    assert (
        page.run("try { document.body.innerHTML = '<b>'; return '' } catch (error) { return error.name }")
        == "TypeError"
    )


def test_what_the_terminal_spells_out_the_page_spells_out(page):
    acting = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and safe(chr(code)) != chr(code)]
    passing = page.run(
        "const acts = new RegExp(ACTS, 'u'); const passing = [];"
        "for (const [low, high] of arguments[0]) for (let code = low; code <= high; code++)"
        "  if (!acts.test(String.fromCodePoint(code))) passing.push(code);"
        "return passing",
        ranges(acting),
    )
    # A browser knows more characters than this Python: such a one may pass.
    assert {unicodedata.category(chr(code)) for code in passing} <= {"Cn"}
    assert page.run("return spelt('\\x1b') + spelt('\\u202e') + spelt('\\u{e0041}') + plain('a\\ud800\\n')") == (
        "\\x1b\\u202e\\U000e0041a\\ud800\\n"
    )


def ranges(codes):
    """Return sorted numbers as pairs of the first and the last of each stretch."""
    groups = itertools.groupby(enumerate(codes), lambda item: item[1] - item[0])
    stretches = ([code for _, code in group] for _, group in groups)
    return [(stretch[0], stretch[-1]) for stretch in stretches]


def test_only_trained_folds_the_rest(page):
    page.show(PLAIN)
    page.keys("t")
    assert page.text("#row").count("…") == 6
    assert b"What is" not in page.row()
    assert page.run("return document.querySelectorAll('#row .segment.masked').length") == 0
    page.keys("t")
    assert b"What is" in page.row()


def test_roles_and_parts_are_switched_off_and_on(page):
    page.show(PLAIN)
    chips = page.run("return [...document.querySelectorAll('.chip')].map((chip) => chip.textContent)")
    assert chips == [
        "only trained",
        "all text",
        "assistant",
        "template",
        "user",
        "content",
        "scaffold",
        "stop",
        "tools",
    ]
    for name, gone, kept in (
        ("user", b"What is", b"It is 4."),
        ("stop", b"4.<|im_end|>", b"What is"),
        ("scaffold", b"user\n", b"It is"),
    ):
        chip = page.run(
            "return [...document.querySelectorAll('.chip')].find((c) => c.textContent === arguments[0])", name
        )
        chip.click()
        assert chip.get_attribute("aria-pressed") == "false"
        assert gone not in page.row()
        assert kept in page.row()
        chip.click()
        assert gone in page.row()


def said(page, text):
    page.wait(f"return document.getElementById('found').textContent.includes({text!r})")


def listed(page):
    return page.run("return [...document.querySelectorAll('.item b')].map((b) => b.textContent)")


def test_search_filters_the_list_and_counts(page):
    from selenium.webdriver.common.keys import Keys

    page.keys("/", "NEEDLE")
    said(page, "1 match in 1 of 7 rows")
    assert listed(page) == ["1"]
    assert page.text(".badge.hits") == "1 ×"
    page.keys(Keys.ENTER)
    page.wait("return shown.row.number === 1")
    said(page, "1 match here, row 1 of 1 with it")
    assert page.run("return [...CSS.highlights.get('found')].map(String)") == ["needle"]
    page.click("#needle")
    page.run("document.getElementById('needle').value = ''")
    page.keys("hacked=1</SCRIPT>", Keys.ENTER)
    page.wait("return shown.row.number === 3")
    page.run("document.getElementById('needle').select()")
    page.keys("nowhere (.*", Keys.ENTER)
    said(page, "no row has it")
    assert listed(page) == []
    # A reject is found by what is said of it.
    page.run("document.getElementById('needle').select()")
    page.keys("not stand there", Keys.ENTER)
    page.wait("return shown.row.number === 5")
    page.run("document.getElementById('needle').select()")
    page.keys(Keys.DELETE, Keys.ESCAPE)
    page.wait("return document.querySelectorAll('.item').length === 7")


def test_search_takes_regular_expressions(page):
    page.keys("/", "\\d[+]\\d")
    said(page, "no row has it")
    page.click("#regex")
    said(page, "1 match in 1 of 7 rows")
    assert page.run("return [...CSS.highlights.get('found')].map(String)") == ["2+2"]
    page.run("document.getElementById('needle').select()")
    page.keys("(")
    said(page, "no regular expression yet")
    assert len(listed(page)) == 7


def test_long_masked_text_is_folded_until_it_is_asked_for(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys

    words = [f" w{number}" for number in range(1000)]
    write_page(tmp_path / "p.html", "t", [row(0, conversation(words, ["It is so."]))], None)
    page = Page(driver).open(tmp_path / "p.html")
    whole = "".join(words).encode()
    assert b" w999<|im_end|>" in page.row()
    assert whole not in page.row()
    assert page.text("button.fold") == "… 886 masked tokens …"
    box = page.run("const b = document.querySelector('.trained').getBoundingClientRect(); return [b.top, innerHeight]")
    assert box[0] < box[1]
    page.keys("/", "w500 ")
    page.wait("return document.querySelectorAll('button.fold').length === 2")
    assert b" w499 w500 w501" in page.row()
    page.run("document.getElementById('needle').select()")
    page.keys(Keys.DELETE, Keys.ESCAPE)
    page.click("button.fold")
    assert whole in page.row()
    page.run("openRow(page.rows[0])")
    page.wait("return document.querySelector('button.fold')")
    page.keys("f")
    assert whole in page.row()
    page.keys("f")
    assert whole not in page.row()


def test_the_list_tells_how_each_row_begins(page):
    previews = page.run("return [...document.querySelectorAll('.item .preview')].map((p) => p.textContent)")
    assert previews[:2] == ["What is 2+2?", "Where is the needle?"]
    assert previews[3].startswith("<script>window.hacked=1</script>")
    assert "\\u202e" in previews[5] or "\\x1b[2J" in previews[5]


def test_packed_rows_and_trees_are_told(driver, tmp_path):
    packed = [replace(row(n, conversation(["a"], ["b"] * (n + 1))), place=(7, n)) for n in range(3)]
    write_page(tmp_path / "p.html", "t", [*packed, TREE], None)
    page = Page(driver).open(tmp_path / "p.html")
    assert page.run("return [...document.querySelectorAll('.form')].map((f) => f.textContent)") == [
        "pack 7 · 0",
        "pack 7 · 1",
        "pack 7 · 2",
        "tree of 3",
    ]
    assert page.text(".shape").startswith("document 0 of packed row 7")
    page.run("return document.querySelectorAll('.pack button')[2]").click()
    page.wait("return shown.row.number === 2")
    page.show_place(3)
    assert page.text(".shape").startswith("a tree of 3 branches")
    page.run("return document.querySelectorAll('.tree button')[2]").click()
    assert page.panel()["id"] == str(TREE.tokens[TREE.branches[2].start].id)


RUN = {
    "sources": ["</script><b>\u202e"],
    "tokenizer": "T",
    "template": "the tokenizer's own",
    "template_digest": "0123456789ab",
    "settings": {"history": "split"},
    "versions": {"maskprep": "1"},
    "date": "2026-12-01T03:00:55+00:00",
}


def test_a_page_in_a_build_names_it_and_the_run(driver, tmp_path):
    folder = tmp_path / "train %41" / "maskprep"
    folder.mkdir(parents=True)
    figures = PageData("t")
    for view in VIEWS:
        figures.add(view)
    write_page(folder / "report.html", "data.jsonl", VIEWS, {**figures._count(), "sequences": 300}, RUN)
    page = Page(driver).open(folder / "report.html")
    assert page.run("return document.title") == "train %41 · data.jsonl"
    assert page.text("#run summary").startswith("a sample of 5 of 300 rows, 2 rejected")
    page.click("#run summary")
    told = page.text("#run")
    for text in ("history: split", "maskprep 1", "</script><b>\\u202e", "0123456789ab", "2026-12-01T03:00:55"):
        assert text in told
    assert page.text("#heading").startswith("Row 0 of 300")


def test_a_rejected_row_opens_as_itself(driver, tmp_path):
    reject = replace(MISMATCH, number=-1, where=PLAIN.where)
    around = Excerpt("column 3", "be\u202efore", "</script>after")
    write_page(tmp_path / "p.html", "t", [PLAIN, reject, replace(NOT_JSON, number=-1, around=around)], None)
    page = Page(driver).open(tmp_path / "p.html")
    page.click("#tab-overview")
    links = "[...document.querySelectorAll('.rejects .link')]"
    page.run(f"return {links}.find((l) => l.textContent.endsWith(':{PLAIN.where.line}'))").click()
    page.wait("return shown.row && shown.row.rejected === 'prompt-mismatch'")
    assert page.text("#heading").startswith("Rejected row")
    page.keys("j")
    page.wait("return shown.row.place === 2")
    assert "be\\u202efore▶</script>after" in page.text("#row").replace("\n", "")


def test_what_was_verified_has_a_view_and_a_badge(driver, tmp_path):
    results = (
        Result("files", Verdict.PASSED, "all is well </script><b>"),
        Result("loss", Verdict.SKIPPED, "nothing to look at"),
        Result("model", Verdict.FAILED, "not so", faults=("<img src=x onerror=window.hacked=1>",), fault_count=1),
    )
    write_verify_page(tmp_path / "p.html", VerifyReport(str(tmp_path / "gone"), results, {"seconds": 1.0}))
    page = Page(driver).open(tmp_path / "p.html")
    assert page.text("#tab-verify").split() == ["Verify", "1", "failed", "1", "passed", "1", "skipped"]
    told = page.text("#verify")
    for text in ("A check failed.", "all is well </script><b>", "<img src=x onerror=window.hacked=1>"):
        assert text in told
    assert page.run("return [typeof window.hacked, document.querySelectorAll('#verify img, #verify b').length]") == [
        "undefined",
        0,
    ]


def test_a_phone_gives_the_room_to_the_text(driver, file):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page = Page(driver).open(file)
        box = page.run("const b = document.getElementById('row').getBoundingClientRect(); return [b.width, b.height]")
        assert box[0] >= 380
        assert box[1] >= 844 / 2
        assert page.run("return document.getElementById('needle').getBoundingClientRect().width") > 300
        assert page.run("return document.documentElement.scrollWidth") == 390
        page.click("#list-open")
        page.run("return document.querySelectorAll('.item')[1]").click()
        page.wait("return shown.row.number === 1")
        assert page.run("return document.getElementById('aside').offsetHeight") == 0
        page.click("#step-on")
        page.wait("return shown.row.number === 2")
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_outlier_leaves_the_other_bars_as_they_are(driver, tmp_path):
    rows = [row(n, conversation(["a"], ["b"] * (n % 20))) for n in range(200)]
    write_page(tmp_path / "p.html", "t", [*rows, row(200, conversation(["a"] * 20_000, ["b"]))], None)
    page = Page(driver).open(tmp_path / "p.html", "#overview")
    bars = "[...document.querySelector('#overview svg').querySelectorAll('.bar-fill')]"
    widths = page.run(f"return {bars}.map((bar) => bar.getBBox().width)")
    assert len(widths) > 15
    assert max(widths) - min(widths) < 0.1
    assert "…20,010" in page.text("#overview")
    assert page.text("#overview .percentiles").split()[:4] == ["min", "p5", "p25", "p50"]


def test_keys_walk_through_rows_and_tokens(page):
    from selenium.webdriver.common.keys import Keys

    page.show(PLAIN)
    page.keys("j")
    page.wait("return shown.row.number === 1")
    page.keys("j")
    page.wait("return shown.row.number === 2")
    page.keys("k")
    page.wait("return shown.row.number === 1")
    page.keys(Keys.ARROW_RIGHT * 3)
    assert page.panel()["id"] == "102"
    page.keys(Keys.ARROW_LEFT)
    assert page.panel()["id"] == "101"
    page.keys("s")
    assert (page.panel()["id"], page.panel()["what"]) == (str(100 + len(NEEDLE.tokens) - 6), "trained")
    page.keys("o")
    assert page.run("return document.getElementById('rows').hidden")
    page.keys("o", "?")
    assert page.run("return document.getElementById('help').open")
    page.keys(Keys.ESCAPE)
    assert not page.run("return document.getElementById('help').open")
    page.run("document.getElementById('list').focus()")
    page.keys(Keys.ARROW_DOWN)
    page.wait("return shown.row.number === 2")


def test_every_token_of_a_row_can_be_pointed_at(page):
    page.show(PLAIN)
    for token in PLAIN.tokens:
        facts = page.point_at(token.index)
        assert facts["id"] == str(token.id)
        assert facts["what"] == ("trained" if token.trained else "masked")
        assert facts["label"] == (str(token.id) if token.trained else "−100")
        assert (facts["role"], facts["part"]) == (token.role, token.part)
        assert facts["message"] == ("none" if token.message < 0 else str(token.message))
        assert facts["bytes"] == token.data.hex(" ").upper()


def test_tokens_that_make_a_character_are_one_unit(page):
    page.show(MANY_SCRIPTS)
    units = page.run(
        "const {text, starts, firsts} = shown.laid;"
        "return firsts.slice(0, -1).map((f, u) => [text.slice(starts[u], starts[u + 1]), firsts[u + 1] - f])"
    )
    for text, count in MERGED.items():
        assert [text, count] in units
    for unit, (text, count) in enumerate(units):
        if not text:
            continue  # a token of no bytes is reached by the keyboard
        facts = page.point_at(unit)
        assert facts["id"].count("+") == count - 1
        assert facts["label"] in (facts["id"], "−100")
    assert "‹FF›" in page.text("#row")
    assert "‹E4›" in page.text("#row")


def test_neighbours_of_one_style_are_one_run_of_text(page):
    page.show(MANY_SCRIPTS)
    nodes = [text for _, text in page.pieces()]
    assert "مرحبا بالعالم" in nodes
    assert "é" in nodes or "e\u0301" in nodes
    assert "👩\u200d👧" in nodes


def test_border_splits_stops_special_tokens_and_comparisons_are_marked(page):
    page.show(PLAIN)
    assert page.run("return document.querySelector('.split').textContent") == "It is 4."
    assert [page.point_at(unit).get("note") for unit in (12, 13)] == ["a token was split before it", None]
    assert page.run("return document.querySelector('.part-stop.trained').textContent") == "<|im_end|>"
    assert page.run("return document.querySelectorAll('#row .special').length") == 4
    assert page.run("return [...document.querySelectorAll('.gutter')].map((g) => g.textContent)") == [
        "user 0",
        "assistant 1",
    ]
    page.show(COMPARED)
    assert page.run("return document.querySelector('.only-there').textContent") == "a"
    assert page.run("return document.querySelector('.only-here').textContent") == "b"
    assert page.run("return document.querySelectorAll('.only-here, .only-there').length") == 4  # two in the legend


def test_a_reject_shows_where_the_two_texts_part_and_the_ways_out(page):
    page.show(MISMATCH)
    shown = page.text("#row")
    for text in ("</script>\\x1b[2J", "choose --prompt-mismatch graft or train", "--prompt-mismatch graft", "\\u202e"):
        assert text in shown
    before = page.run("return [...document.querySelectorAll('.before')].map((node) => node.textContent)")
    after = page.run("return [...document.querySelectorAll('mark')].map((node) => node.textContent)")
    assert before == ["<|User|>Hi<|Assistant|>"] * 2
    assert after == ["<think>\n", "</think>Oslo."]
    assert page.run("return document.getElementById('toggles').hidden")
    page.keys("j")
    page.wait("return shown.row.number === 6")
    assert "\\ud800" in page.text("#row")


def test_the_filter_shows_rows_with_one_finding_or_reject(page):
    from selenium.webdriver.support.select import Select

    select = Select(page.run("return document.getElementById('filter')"))
    assert [option.text for option in select.options] == [
        "all rows (7)",
        "</script><b> (1)",
        "rejected: not-json (1)",
        "rejected: prompt-mismatch (1)",
    ]
    select.select_by_index(1)
    assert page.run("return [...document.querySelectorAll('.item b')].map((b) => b.textContent)") == ["3"]


def test_many_findings_of_one_code_take_one_line(driver, tmp_path):
    findings = [("empty-think", f"messages[{n}] </details><script>window.hacked=1</script>") for n in range(40)]
    write_page(tmp_path / "p.html", TITLE, [row(0, conversation(["a"], ["b"]), findings=findings)], None)
    page = Page(driver).open(tmp_path / "p.html")
    assert page.text("#heading").endswith("and 39 more")
    page.click("#heading summary")
    assert "messages[39] </details>" in page.text("#heading")
    assert page.run("return document.querySelectorAll('#row .segment').length") > 0
    assert page.run("return typeof window.hacked") == "undefined"


def test_the_overview_draws_plots_and_opens_examples(page):
    page.click("#tab-overview")
    assert page.run("return document.querySelectorAll('#overview svg').length") == 2
    text = page.text("#overview")
    for expected in (
        "Figures of the rows on this page",
        "median",
        "assistant · stop",
        "4 of 4 trained",
        "prompt-mismatch",
    ):
        assert expected in text
    page.run(
        "return [...document.querySelectorAll('.example .link')].find((l) => l.textContent.endsWith(':7'))"
    ).click()
    page.wait("return shown.row.number === 6")


def test_light_and_dark_follow_the_system_and_the_switch(page):
    def paper(scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        return page.run("return getComputedStyle(document.body).backgroundColor")

    light, dark = paper("light"), paper("dark")
    assert light != dark
    page.keys("d")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == light
    page.click("#theme")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == dark


def test_a_browser_that_cannot_unpack_is_told(driver, file):
    source = {"source": "delete globalThis.DecompressionStream"}
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        page = Page(driver).open(file)
        assert "cannot unpack" in page.text("#notice")
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_many_and_long_rows_keep_the_document_small(driver, tmp_path):
    path = tmp_path / "long.html"
    words = ["word", " and", " another", "\n"] * 5000
    write_page(
        path, TITLE, (row(n, conversation(words if n % 40 == 0 else ["a"], ["b"] * 50)) for n in range(400)), None
    )
    page = Page(driver).open(path)
    page.keys("f")
    assert page.run("return document.querySelectorAll('.item').length") < 40
    assert page.run("return document.querySelectorAll('#row *').length") < 6000
    assert page.row().count(b" another") == 5000
    page.run("openRow(page.rows[399])")
    page.wait("return shown.row.number === 399")
    assert page.run("return [...document.querySelectorAll('.item.chosen b')].map((b) => b.textContent)") == ["399"]
    assert driver.get_log("browser") == []
