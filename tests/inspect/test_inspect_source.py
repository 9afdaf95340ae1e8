"""``maskprep inspect SOURCE``: what a source row will become, before anything is built."""

from __future__ import annotations

import json

import pytest
from builds import chat, jsonl, tree
from bundled import CONVERSATIONS, ROOT, TOKENIZER
from inspections import WITH_TOKENIZER, facts, inspect, make, refused, run, sample_build, shown
from unmarked import ACTS

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
THINKS = CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
REWRITES = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}[gone]{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def of_source(*words, stdin=None):
    return facts(*words, *WITH_TOKENIZER, stdin=stdin)["rows"]


def test_a_source_shows_what_a_build_shows():
    """Every row of the sample: tokens, labels, roles, parts, splits, findings; only the number is the source row's."""
    built = facts(sample_build(), "--rows", ":")["rows"]
    prepared = of_source(CONVERSATIONS, "--rows", ":")
    assert [row for row in prepared if "rejected" not in row] == [
        {**row, "row": numbered["row"]}
        for row, numbered in zip(built, (row for row in prepared if "rejected" not in row), strict=True)
    ]
    rejected = [row for row in prepared if "rejected" in row]
    lines = (sample_build() / "maskprep" / "rejects.jsonl").read_text("ascii").splitlines()
    assert [(row["origin"]["line"], row["rejected"]["code"]) for row in rejected] == [
        (line["line"], line["code"]) for line in map(json.loads, lines)
    ]


def test_the_text_is_the_same_too(place):
    built = shown(sample_build(), "--row", "5").split("\n")
    number = of_source(CONVERSATIONS, "--find", facts(sample_build(), "--row", "5")["rows"][0]["text"][:200])[0]["row"]
    prepared = shown(CONVERSATIONS, "--row", number, *WITH_TOKENIZER).split("\n")
    assert prepared[1:] == built[1:]
    assert prepared[0].split("  ")[1:] == built[0].split("  ")[1:]


def test_nothing_is_written(place):
    before = tree(ROOT / "sample_data")
    for words in ((), ("--rows", ":"), ("--json",), ("--row", "7"), ("--set", "output=out"), ("--find", "zzzz")):
        inspect(CONVERSATIONS, *WITH_TOKENIZER, *words)
    assert tree(ROOT / "sample_data") == before
    assert not list(place.iterdir())


def test_a_row_with_several_sequences_shows_them_all(place, source):
    (place / "rewrites.jinja").write_text(REWRITES)
    rows = source(chat("q1", "first", "q2", "second"), chat("q", "third"))
    options = ("--chat-template", "rewrites.jinja")
    made = of_source(rows, "--rows", ":", *options)
    assert [(row["row"], row["origin"]["sequence"]) for row in made] == [(0, 0), (0, 1), (1, 0)]
    assert [row["row"] for row in of_source(rows, *options)] == [0, 0]
    assert len(of_source(rows, *options, "--history", "mask")) == 1
    built = facts(make(place / "built", rows, *options, "--history", "split"), "--rows", ":")["rows"]
    assert [row["by_token"] for row in built] == [row["by_token"] for row in made]
    assert [row["findings"] for row in built] == [row["findings"] for row in made]
    (sought,) = of_source(rows, *options, "--find", "third")
    assert sought["row"] == 1


@pytest.mark.parametrize(
    ("options", "trained"),
    [
        ((), ["one<|im_end|>", "two<|im_end|>"]),
        (("--set", "train.turns=last"), ["two<|im_end|>"]),
        (("--set", "train.parts=[content]"), ["one", "two"]),
        (("--config", "settings.yaml"), ["<|im_end|>"] * 2),
    ],
)
def test_build_options_count(place, source, options, trained):
    (place / "settings.yaml").write_text("train: {parts: [stop]}\nsources: [elsewhere.jsonl]\noutput: never\n")
    (row,) = of_source(source(chat("q", "one", "q", "two")), *options)
    runs, before = [], False
    for token in row["by_token"]:
        now = token["label"] != -100
        if now:
            runs = [*runs[:-1], runs[-1] + token["text"]] if before else [*runs, token["text"]]
        before = now
    assert runs == trained


def test_standard_input():
    data = jsonl(chat("q", "one"), chat("q", "two"))
    (row,) = of_source("-", "--row", "-1", stdin=data)
    assert row["origin"] == {"file": "-", "line": 2, "sequence": 0}
    assert "two" in row["text"]
    assert [row["row"] for row in of_source("-", "--find", "one", stdin=data)] == [0]
    assert "row 1  -:2" in shown("-", "--row", "1", *WITH_TOKENIZER, stdin=data)


def test_several_sources(source):
    first, second = source(chat("q", "one"), name="a.jsonl"), source(chat("q", "two"), name="b.jsonl")
    assert [row["origin"]["file"] for row in of_source(first, second, "--rows", ":")] == [first, second]
    assert [row["row"] for row in of_source(first, second, "--origin", "b.jsonl:1")] == [1]


def test_random_rows_can_be_had_again():
    once = of_source(CONVERSATIONS, "--random", "4", "--seed", "9")
    assert once == of_source(CONVERSATIONS, "--random", "4", "--seed", "9")
    assert len({row["row"] for row in once}) == 4


def test_rejected_rows_are_found_by_what_they_hold(source):
    long = b'{"messages": [{"role": "user", "content": "' + b"x" * 5000 + b' needle"}, '
    rows = source(chat("q", "needle"), long, {"messages": []})
    assert [row["row"] for row in of_source(rows, "--find", "needle")] == [0, 1]
    assert [row["row"] for row in of_source(rows, "--finding", "no-messages")] == [2]


def test_rows_with_a_finding():
    assert {row["origin"]["line"] for row in of_source(CONVERSATIONS, "--finding", "border-split")} == {51}
    assert len(of_source(CONVERSATIONS, "--finding", "text-parts-joined", "--limit", "2")) == 2


@pytest.mark.parametrize(
    ("line", "code", "around"),
    [
        (b'{"messages": [}', "not-json", ("column 15", '{"messages": [', "}")),
        (b'{"a": "\xff"}', "invalid-utf8", ("byte 8", '{"a": "', '\\xff"}')),
        (b'{"a": 1, "a": 2}', "duplicate-key", ("column 10", '{"a": 1, ', '"a": 2}')),
        (b'{"a": NaN}', "nan", ("column 7", '{"a": ', "NaN}")),
        (b'{"a": 1e999}', "nan", ("column 7", '{"a": ', "1e999}")),
        (
            b'{"messages": [{"role": "user", "content": "x"}, {"role": "nobody", "content": "y"}]}',
            "unknown-role",
            ("messages[1]", "", '{"role": "nobody", "content": "y"}'),
        ),
        (b'{"messages": []}', "no-messages", ("the row begins", "", '{"messages": []}')),
        (b"[" * 300 + b"]" * 300, "too-deep", ("the row begins", "", "[" * 280 + "…")),
    ],
)
def test_the_text_around_the_fault(source, line, code, around):
    rows = source(chat("q", "a"), line)
    (reject,) = of_source(rows, "--row", "1")
    assert reject["row"] == 1
    assert reject["origin"] == {"file": rows, "line": 2}
    assert reject["rejected"]["code"] == code
    assert reject["around"] == dict(zip(("title", "before", "after"), around, strict=True))
    lines = shown(rows, "--row", "1", *WITH_TOKENIZER).split("\n")
    assert lines[0] == f"row 1  rows.jsonl:2  rejected: {code}"
    marked = f"{around[0]}: {around[1]}{'▶' if around[1] else ''}{around[2]}"
    assert lines[2].replace("·▶", " ▶") == marked
    assert lines[3].startswith("fix: ")


def test_a_build_shows_the_same_text_around_a_fault_while_its_source_is_there(build, source, place):
    rows = source(chat("q", "a"), b'{"a": "\xc3\xa9", "b": oops}', {"messages": []}, b'{"a": 1, "a": 2}')
    assert build(rows, "--output", "out", "--max-rejects", "1").code == 0
    wanted = {row["origin"]["line"]: row["around"] for row in of_source(rows, "--rows", "1:")}

    def around(line):
        (row,) = facts("out", "--origin", f"{rows}:{line}")["rows"]
        return row["around"]

    assert [around(line) for line in (2, 3, 4)] == [wanted[2], None, wanted[4]]
    assert wanted[2]["title"] == "column 17"
    (place / rows).write_text((place / rows).read_text().replace("oops", "nope"))
    assert [around(line) for line in (2, 4)] == [None, wanted[4]]
    (place / rows).unlink()
    assert around(4) is None


@pytest.mark.parametrize(
    "where", [{"byte": -9}, {"byte": 10**40}, {"file": "a\0"}, {"file": "."}, {"file": "s3://x/y"}]
)
def test_a_ledger_may_name_any_place(build, source, place, where):
    rows = source(chat("q", "a"), b"{oops}")
    assert build(rows, "--output", "out", "--max-rejects", "1").code == 0
    ledger = place / "out" / "maskprep" / "rejects.jsonl"
    ledger.write_text(json.dumps({**json.loads(ledger.read_text()), **where}) + "\n")
    (row,) = facts("out", "--finding", "not-json")["rows"]
    assert row["around"] is None


def test_a_fault_far_into_a_long_line(source):
    rows = source(b'{"messages": "' + "é".encode() * 100_000 + b'" oops}')
    (reject,) = of_source(rows)
    assert reject["around"]["before"] == "…" + "é" * 118 + '" '
    assert reject["around"]["after"] == "oops}"


def test_a_mismatch_shows_both_texts_and_the_ways_out(place, source):
    (place / "thinks.jinja").write_text(THINKS)
    rows = source(chat("Where?", "In Oslo."))
    template = ("--chat-template", "thinks.jinja")
    lines = shown(rows, *WITH_TOKENIZER, *template).rstrip("\n").split("\n")
    assert lines[0] == "row 0  rows.jsonl:1  rejected: prompt-mismatch"
    prompt, rendered = (next(line for line in lines if name in line) for name in ("the server's prompt", "as rendered"))
    assert prompt.index("▶") == rendered.index("▶")
    assert prompt.endswith("<|im_start|>assistant↵▶<think>↵")
    assert rendered.endswith("<|im_start|>assistant↵▶In Oslo.<|im_end|>↵")
    graft, train = (next(line for line in lines if line.strip().startswith(name)) for name in ("graft ", "train "))
    assert graft.endswith("assistant↵<think>↵⟦In Oslo.<|im_end|>⟧")
    assert train.endswith("assistant↵⟦In Oslo.<|im_end|>⟧")
    ways = "--set prompt_mismatch=graft or --set prompt_mismatch=train"
    assert lines[-1] == f"fix: tried on this row, and it is used with {ways}"
    (reject,) = of_source(rows, *template)
    told = reject["rejected"]
    assert isinstance(told["message"], str)
    assert told["message"].startswith("messages[1]: the generation prompt does not stand before this turn's text")
    assert told["details"]["prompt"]["after"] == "<think>\n"
    assert told["details"]["rendered"]["after"] == "In Oslo.<|im_end|>\n"
    # What the two ways out are said to train is what they train.
    for way, context in (("graft", graft), ("train", train)):
        (row,) = of_source(rows, *template, "--prompt-mismatch", way)
        trained = [token["index"] for token in row["by_token"] if token["label"] != -100]
        text = "".join(token["text"] for token in row["by_token"][trained[0] : trained[-1] + 1])
        before = "".join(token["text"] for token in row["by_token"][: trained[0]])
        assert text == "In Oslo.<|im_end|>"
        assert before.replace("\n", "↵").endswith(context.split("⟦")[0].split("  ")[-1].strip())


def test_a_build_keeps_the_two_texts(place, source):
    (place / "thinks.jinja").write_text(THINKS)
    rows = source(chat("Where?", "In Oslo."))
    built = make(place / "built", rows, "--chat-template", "thinks.jinja")
    output = shown(built, "--finding", "prompt-mismatch")
    assert output.startswith("rows.jsonl:1  rejected: prompt-mismatch\n")
    whole = shown(rows, *WITH_TOKENIZER, "--chat-template", "thinks.jinja")
    assert output.split("\n")[1:] == whole.split("\n")[1:]


def test_hostile_rejects_do_nothing(place, source):
    evil = "\x1b[2J\x1b]8;;http://x\x07 \u202e[/red]<script>"
    (place / "thinks.jinja").write_text(THINKS)
    rows = source(chat(evil, evil), f'{{"{evil}'.encode(), {"messages": [{"role": evil}]}, {evil: 1}, b"\xff\x1b[2J")
    for words in (("--rows", ":"), ("--rows", ":", "--chat-template", "thinks.jinja")):
        output = shown(rows, *WITH_TOKENIZER, *words)
        assert not ACTS.search(output)
        assert output.count("rejected: ") >= 4
        assert "\\x1b[2J" in output


def test_a_template_that_cannot_be_used_is_told(place, source):
    rows = source(chat("q", "a"))
    (place / "broken.jinja").write_text("{% if %}")
    assert "template" in refused(rows, *WITH_TOKENIZER, "--chat-template", "broken.jinja")
    assert "no tokenizer" in refused(rows, "--tokenizer", "nowhere/at/all")
    assert "--stats wants" in refused(rows, *WITH_TOKENIZER, "--stats")
    assert "there is no row 1" in refused(rows, *WITH_TOKENIZER, "--row", "1")
    assert "there is no row -2" in refused(rows, *WITH_TOKENIZER, "--row", "-2")
    assert "there is no row" in refused(source(name="empty.jsonl"), *WITH_TOKENIZER)


def test_a_page_of_a_source(place, source):
    rows = source(chat("q", "a"), {}, chat("q", "b"))
    told = facts(rows, *WITH_TOKENIZER, "--html", "page.html")
    assert told == {"html": "page.html", "bytes": (place / "page.html").stat().st_size}
    assert sorted(path.name for path in place.iterdir()) == ["page.html", "rows.jsonl"]


def test_the_readme_way(place, source, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert run("inspect", "sample_data/conversations.jsonl", "--tokenizer", TOKENIZER, "--row", "7").code == 0
