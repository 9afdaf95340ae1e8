"""The file of a page: self-contained, inert, and holding exactly the views."""

from __future__ import annotations

import base64
import dataclasses
import gc
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_samples import EVIL, HOSTILE, MISMATCH, PLAIN, TREE, VIEWS, conversation, row

from maskprep.conversation import Where
from maskprep.inspect.views import RejectView, RowView, TokenView
from maskprep.show import page_data
from maskprep.show.page import write_page
from maskprep.show.page_data import PageData
from maskprep.show.verify_page import write_verify_page
from maskprep.verify.command import VerifyReport
from maskprep.verify.result import Result, Verdict

TITLE = "out </title><script>window.hacked=1</script> \x1b[2J \u202e"
ASSETS = sorted((files("maskprep.show") / "assets").iterdir(), key=lambda file: file.name)


class Reader(HTMLParser):
    """Collects the elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style", "title"):
            self._open = [tag, dict(attrs), ""]
            self.texts.append(self._open)

    def handle_data(self, data):
        if self._open:
            self._open[2] += data

    def handle_endtag(self, tag):
        self._open = None


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    size = write_page(path, TITLE, iter(VIEWS), None)
    assert size == path.stat().st_size
    return path.read_text(encoding="utf-8")


def unpack(packed):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def views_of(meta, blocks):
    """Read the views back from what a page holds."""
    rows, tokens = meta["rows"], meta["tokens"]
    records = [record for block in blocks for record in block]
    special = set(tokens["special"])
    for place, record in enumerate(records):
        where = Where(meta["files"][rows["file"][place]], rows["line"][place], 0)
        if rows["rejected"][place] is not None:
            facts = (record["message"], record["hint"], record["details"], record["source"])
            yield RejectView(rows["number"][place], where, rows["rejected"][place], *facts)
            continue
        runs = iter(record["r"])
        kinds = [kind for length, kind in zip(runs, runs, strict=True) for _ in range(length)]
        views = []
        for index, (token, number) in enumerate(zip(record["t"], kinds, strict=True)):
            role, part, message, trained, split, other = meta["kinds"][number]
            text = tokens["text"][token]
            data = text.encode() if isinstance(text, str) else bytes.fromhex(text[0])
            facts = (index, tokens["id"][token], data, trained, role, part, message, token in special, split, other)
            views.append(TokenView(*facts))
        findings = tuple(map(tuple, rows["findings"][place]))
        yield RowView(rows["number"][place], where, rows["sequence"][place], tuple(views), findings)


def views_in(text):
    scripts = [(attributes.get("class"), body) for tag, attributes, body in Reader(text).texts if tag == "script"]
    (meta,) = (unpack(body) for name, body in scripts if name == "meta")
    return meta, list(views_of(meta, [unpack(body) for name, body in scripts if name == "rows"]))


def without_offset(view):
    where = Where(view.where.file, view.where.line, 0)
    if isinstance(view, RejectView):
        return RejectView(view.number, where, view.code, view.message, view.hint, view.details, view.source)
    return RowView(view.number, where, view.sequence, view.tokens, view.findings)


def test_the_page_holds_exactly_the_views(page):
    meta, views = views_in(page)
    assert views == [without_offset(view) for view in VIEWS]
    assert meta["title"] == TITLE
    assert meta["rows"]["trained"] == [view.trained if isinstance(view, RowView) else 0 for view in VIEWS]


def test_nothing_is_loaded_from_anywhere(page):
    allowed = {"lang", "charset", "http-equiv", "content", "name", "type", "class", "id", "hidden", "title", "role"}
    allowed |= {"placeholder", "autocomplete", "spellcheck", "for", "tabindex", "method"}
    for tag, attributes in Reader(page).elements:
        names = {name for name in attributes if not name.startswith("aria-")}
        assert names <= allowed, (tag, names - allowed)
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "a"}
    code = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//cdn|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon", code)


def test_the_policy_names_each_script_and_style_by_its_hash(page):
    reader = Reader(page)
    (policy,) = (
        attributes["content"]
        for tag, attributes in reader.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert "unsafe" not in policy

    def hashes(tag):
        bodies = [body for name, facts, body in reader.texts if name == tag and "type" not in facts]
        return [f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies]

    assert rules["script-src"] == hashes("script")
    assert rules["style-src"] == hashes("style")
    # The policy stands before all that it rules.
    assert page.index("Content-Security-Policy") < min(page.index("<script"), page.index("<style"))


@pytest.mark.parametrize("text", [*HOSTILE, EVIL.where.file, EVIL.findings[0][1], MISMATCH.message, TITLE])
def test_hostile_text_is_nowhere_raw(page, text):
    assert text not in page


def test_no_character_acts_outside_of_our_own_code(page):
    (title,) = (body for tag, _, body in Reader(page).texts if tag == "title")
    assert title == "out </title><script>window.hacked=1</script> \\x1b[2J \\u202e"
    assert set(re.findall(r'<script type="text/plain" class="(.*?)">[A-Za-z0-9+/=]+</script>', page)) == {
        "rows",
        "meta",
    }
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize("file", ASSETS, ids=lambda file: file.name)
def test_our_own_code_makes_no_markup_of_strings_and_closes_no_element(file):
    code = file.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|Function\(", code)
    assert "style=" not in code
    if file.name.endswith((".js", ".css")):
        assert "</" not in code
        assert "<!--" not in code
    assert code.count("\n") <= 250


tokens = st.builds(
    TokenView,
    index=st.just(0),
    id=st.integers(0, 5),
    data=st.sampled_from([b"", b"a", b"\n", b"\xe4\xbd", b"\xa0", "é".encode(), b"</script>", b"\x00"])
    | st.binary(max_size=4),
    trained=st.booleans(),
    role=st.sampled_from(["user", "assistant"]),
    part=st.sampled_from(["content", "stop"]),
    message=st.integers(-1, 2),
    special=st.booleans(),
    split=st.booleans(),
    other=st.sampled_from([None, True, False]),
)


@given(st.lists(st.lists(tokens, max_size=12), max_size=8))
def test_any_rows_survive_the_compact_form(rows):
    views = [
        RowView(
            number,
            Where("f", number, 0),
            0,
            tuple(
                TokenView(index, t.id, t.data, t.trained, t.role, t.part, t.message, t.special, t.split, t.other)
                for index, t in enumerate(row)
            ),
        )
        for number, row in enumerate(rows)
    ]
    data = PageData("t")
    blocks = [block for view in views if (block := data.add(view))]
    blocks += [block for block in [data.rest()] if block]
    assert list(views_of(unpack(data.meta(None)), map(unpack, blocks))) == views


def test_without_figures_of_a_build_the_page_counts_its_rows(page):
    meta, _ = views_in(page)
    facts = meta["statistics"]
    rows = [view for view in VIEWS if isinstance(view, RowView)]
    assert meta["measured"] == "the rows on this page"
    assert facts["tokens"] == sum(len(view.tokens) for view in rows)
    assert facts["trained_tokens"] == sum(view.trained for view in rows)
    assert sum(entry["tokens"] for entry in facts["by_role_and_part"]) == facts["tokens"]
    assert sum(entry["trained_tokens"] for entry in facts["by_role_and_part"]) == facts["trained_tokens"]
    assert (facts["rows"], facts["rows_used"], facts["rows_rejected"], facts["sequences"]) == (7, 5, 2, 5)
    assert {code: entry["rows"] for code, entry in facts["rejects"].items()} == {"prompt-mismatch": 1, "not-json": 1}
    assert sum(facts["length"]["histogram"]["counts"]) == sum(facts["trained_turns"].values()) == 5


def test_figures_of_a_build_are_shown_as_they_are(tmp_path):
    write_page(tmp_path / "p.html", "t", [PLAIN], {"rows": 3, "rejects": {}})
    meta, _ = views_in((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert (meta["statistics"], meta["measured"]) == ({"rows": 3, "rejects": {}}, "the build")


def test_a_page_may_hold_no_rows(tmp_path):
    write_page(tmp_path / "p.html", "t", [], None)
    assert views_in((tmp_path / "p.html").read_text(encoding="utf-8"))[1] == []


def test_blocks_are_cut_by_tokens_and_by_rows(monkeypatch):
    monkeypatch.setattr(page_data, "_BLOCK_TOKENS", 40)
    monkeypatch.setattr(page_data, "_BLOCK_ROWS", 3)
    short = [row(number, [("a", "user", "content", 0, "")]) for number in range(7)]
    long = [row(7, conversation(["a"] * 60, ["b"])), row(8, conversation(["c"], ["d"]))]
    data = PageData("t")
    blocks = [block for view in [*short, *long] if (block := data.add(view))]
    blocks.append(data.rest())
    meta = unpack(data.meta(None))
    assert meta["blocks"] == [0, 3, 6, 8]
    assert list(views_of(meta, map(unpack, blocks))) == [*short, *long]


def views_alive():
    # By exact type: isinstance() asks objects for their class, at which some of other libraries warn.
    return sum(type(thing) is RowView for thing in gc.get_objects())


def test_rows_are_written_as_they_come(tmp_path):
    alive = []

    def rows():
        for number in range(600):
            yield row(number, conversation(["a"], ["b"]))
            alive.append(views_alive() if number % 100 == 0 else 0)

    before = views_alive()
    write_page(tmp_path / "p.html", "t", rows(), None)
    assert max(alive) <= before + 2
    assert len(views_in((tmp_path / "p.html").read_text(encoding="utf-8"))[1]) == 600


def test_a_fault_leaves_the_file_of_before(tmp_path):
    path = tmp_path / "p.html"
    path.write_text("before")

    def rows():
        yield PLAIN
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_page(path, "t", rows(), None)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("p.html", "before")]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_page(tmp_path / name, "t", VIEWS, None)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    write_page(tmp_path / "link.html", "t", [PLAIN], None)
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").stat().st_size == write_page(type(tmp_path)("/dev/null"), "t", [PLAIN], None)
    assert type(tmp_path)("/dev/null").is_char_device()


def test_the_sample_tells_how_rows_begin_and_how_they_are_put_together(tmp_path):
    packed = dataclasses.replace(PLAIN, place=(3, 1))
    answered = row(9, [("\n Only", "assistant", "content", 0, "t"), (" this", "assistant", "content", 0, "t")])
    write_page(tmp_path / "p.html", "t", [packed, TREE, answered, MISMATCH], None)
    rows = views_in((tmp_path / "p.html").read_text(encoding="utf-8"))[0]["rows"]
    assert rows["preview"][:3] == ["What is 2+2?", "One?", "Only this"]
    assert rows["preview"][3].startswith("messages[1]: the prompt")
    assert rows["packed"] == [[3, 1], None, None, None]
    assert rows["branches"] == [0, 3, 0, 0]


def test_results_of_checks_are_on_the_page_escaped(tmp_path):
    results = (
        Result("files", Verdict.PASSED, "</script><script>window.hacked=1</script>"),
        Result("loss", Verdict.SKIPPED, "no rows"),
    )
    write_verify_page(tmp_path / "p.html", VerifyReport("gone", results, {"seconds": 1.0}))
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert '<span class="passed">1 passed</span> <span class="skipped">1 skipped</span>' in page
    assert "window.hacked=1</script>" not in page
    assert "gone · maskprep verify" in page
