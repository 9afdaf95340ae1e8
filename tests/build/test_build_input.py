"""Where rows come from, and rows that cannot be used: each becomes a reject, and the others are built."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard
from builds import chat, jsonl, rejects
from datasets import load_from_disk

MIB = 1 << 20

# Raises with its own words where a message says so; otherwise a plain template that appends.
RAISES = """{%- for m in messages -%}
{%- if m.content == 'raise' -%}{{ raise_exception('I will not render this') }}{%- endif -%}
{%- if m.content == 'fail' -%}{{ m.content + 1 }}{%- endif -%}
{{- '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""

GOOD = chat("question", "answer")
CALL = {"function": {"name": "look", "arguments": {}}}


def message(**fields: object) -> dict[str, object]:
    """Return a row whose last message has these fields."""
    return {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", **fields}]}


BAD = {
    "not JSON": (b"nonsense", "not-json"),
    "two objects": (b"{} {}", "not-json"),
    "a list": (b"[1, 2]", "not-an-object"),
    "a string": (b'"text"', "not-an-object"),
    "null": (b"null", "not-an-object"),
    "no messages": ({"conversation": []}, "no-messages"),
    "empty messages": ({"messages": []}, "no-messages"),
    "null messages": ({"messages": None}, "no-messages"),
    "messages a string": ({"messages": "hello"}, "no-messages"),
    "message a string": ({"messages": ["hello"]}, "bad-message"),
    "role missing": ({"messages": [{"content": "x"}]}, "bad-message"),
    "role a number": ({"messages": [{"role": 1, "content": "x"}]}, "bad-message"),
    "unknown role": ({"messages": [{"role": "narrator", "content": "x"}]}, "unknown-role"),
    "content a number": (message(content=7), "bad-message"),
    "content missing": ({"messages": [{"role": "user"}]}, "no-content"),
    "an image": (message(content=[{"type": "image_url", "image_url": {"url": "u"}}]), "media-part"),
    "weight a string": (message(content="a", weight="heavy"), "bad-weight"),
    "call without a name": (message(content="", tool_calls=[{"function": {"arguments": {}}}]), "bad-tool-call"),
    "calls of a user": ({"messages": [{"role": "user", "content": "x", "tool_calls": [CALL]}]}, "bad-message"),
    "no call of a user": ({"messages": [{"role": "user", "content": "x", "tool_calls": [{}]}]}, "bad-tool-call"),
    "tools a number": ({**GOOD, "tools": 3}, "bad-tools"),
    "kwargs a list": ({**GOOD, "chat_template_kwargs": ["x"]}, "bad-kwargs"),
    "reserved kwarg": ({**GOOD, "chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, "reserved-kwarg"),
    "reserved kwarg, prompt": ({**GOOD, "chat_template_kwargs": {"add_generation_prompt": True}}, "reserved-kwarg"),
    "lone surrogate": (b'{"messages": [{"role": "user", "content": "\\ud83d"}]}', "lone-surrogate"),
    "NUL": (b'{"messages": [{"role": "user", "content": "a\\u0000b"}]}', "nul-character"),
    "invalid UTF-8": (b'{"messages": [{"role": "user", "content": "\xff"}]}', "invalid-utf8"),
    "NaN": (b'{"messages": [{"role": "user", "content": "x", "weight": NaN}]}', "nan"),
    "infinity": (b'{"messages": [{"role": "user", "content": "x", "weight": -Infinity}]}', "nan"),
    "duplicate keys": (b'{"messages": [], "messages": [{"role": "user", "content": "x"}]}', "duplicate-key"),
    "deep": (b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too-deep"),
    "a long integer": (
        b'{"messages": [{"role": "user", "content": "x", "id": ' + b"9" * 5000 + b"}]}",
        "integer-too-long",
    ),
    "a long line": (b'{"messages": "' + b"x" * (50 * MIB) + b'"}', "row-too-large"),
    "no assistant": ({"messages": [{"role": "user", "content": "x"}]}, "nothing-to-train"),
    "assistant only": ({"messages": [{"role": "assistant", "content": "x"}]}, "nothing-to-train"),
    "weight 0": (message(content="x", weight=0), "nothing-to-train"),
    "the template raises": (chat("raise", "x"), "template-error"),
    "the template fails": (chat("fail", "x"), "template-error"),
}


def trained_lines(folder: Path) -> list[int]:
    return [origin["line"] for origin in load_from_disk(str(folder))["origin"]]


def test_every_bad_row_is_rejected_with_its_code_and_the_good_ones_are_built(build, place):
    (place / "raises.jinja").write_text(RAISES)
    rows = [row for bad, _ in BAD.values() for row in (bad, GOOD)]
    data = jsonl(*rows) + b'{"messages": [{"role": "user", "cont'
    (place / "rows.jsonl").write_bytes(data)
    outcome = build("rows.jsonl", "--chat-template", "raises.jinja", "--max-rejects", "1", "--output", "out", "--json")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stderr == ""

    found = rejects(place / "out")
    expected = [(2 * index + 1, code) for index, (_, code) in enumerate(BAD.values())]
    assert [(reject["line"], reject["code"]) for reject in found] == [*expected, (len(rows) + 1, "not-json")]
    assert trained_lines(place / "out") == [2 * index + 2 for index in range(len(BAD))]
    totals = outcome.json["totals"]
    assert totals["rows_rejected"] == len(BAD) + 1
    assert totals["rows_used"] == len(BAD)
    assert totals["rows"] == totals["rows_used"] + totals["rows_rejected"]
    assert {code: noticed["rows"] for code, noticed in totals["rejects"].items()} == {
        code: [reject["code"] for reject in found].count(code) for code in {reject["code"] for reject in found}
    }

    for reject in found:
        assert {"byte", "code", "file", "line", "message"} <= reject.keys()
        assert reject.keys() <= {"byte", "code", "file", "line", "message", "hint", "details"}
        assert reject["file"] == "rows.jsonl"
        # The offset is that of the line itself.
        assert data[: reject["byte"]].count(b"\n") == reject["line"] - 1
        assert reject["byte"] == 0 or data[reject["byte"] - 1 : reject["byte"]] == b"\n"
        assert 10 < len(reject["message"]) < 1000
        assert "Traceback" not in reject["message"]
    named = {name: reject["message"] for name, reject in zip(BAD, found, strict=False)}
    assert "I will not render this" in named["the template raises"]
    assert "narrator" in named["unknown role"]
    assert "52,428," in named["a long line"]


def test_the_last_line_needs_no_end(build, place):
    (place / "rows.jsonl").write_bytes(jsonl(GOOD) + json.dumps(GOOD).encode())
    assert build("rows.jsonl", "--output", "out").code == 0
    assert trained_lines(place / "out") == [1, 2]


def test_a_truncated_gzip_is_one_reject_and_what_could_be_read_is_built(build, place):
    packed = gzip.compress(jsonl(*[chat(f"question {i}", f"answer {i**9}") for i in range(500)]), mtime=0)
    (place / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (place / "rows.jsonl").write_bytes(jsonl(GOOD))
    outcome = build("cut.jsonl.gz", "rows.jsonl", "--output", "out", "--json")
    assert outcome.code == 0, outcome
    [reject] = rejects(place / "out")
    assert reject["code"] == "truncated-file"
    assert reject["file"] == "cut.jsonl.gz"
    files = [origin["file"] for origin in load_from_disk(str(place / "out"))["origin"]]
    assert files.count("cut.jsonl.gz") == reject["line"] - 1 > 100
    assert files[-1] == "rows.jsonl"


def test_lines_end_at_a_line_feed_and_nowhere_else(build, place):
    row = json.dumps(chat("one\u2028two\x85three", "fine"), ensure_ascii=False).encode()
    (place / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + row + b"\r\n\n  \n" + row + b"\n")
    assert build("rows.jsonl", "--output", "out").code == 0
    assert trained_lines(place / "out") == [1, 4]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("rows.jsonl", bytes),
        ("rows.jsonl.gz", gzip.compress),
        ("rows.jsonl.zst", zstandard.compress),
        ("packed", gzip.compress),
    ],
)
def test_compressed_files(build, place, name, pack):
    (place / name).write_bytes(pack(jsonl(GOOD, chat("second", "row"))))
    assert build(name, "--output", "out").code == 0
    assert load_from_disk(str(place / "out"))["origin"][:] == [
        {"file": name, "line": line, "sequence": 0} for line in (1, 2)
    ]


def test_standard_input(build, place):
    outcome = build("-", "--output", "out", "--json", stdin=jsonl(GOOD, "x", GOOD, *[GOOD] * 300))
    assert outcome.code == 0
    assert [(reject["file"], reject["line"]) for reject in rejects(place / "out")] == [("-", 2)]
    data = load_from_disk(str(place / "out"))
    assert len(data) == 302
    assert set(data["origin"][0].values()) == {"-", 1, 0}


def test_compressed_standard_input(build, place):
    assert build("-", "--output", "out", stdin=gzip.compress(jsonl(GOOD))).code == 0
    assert trained_lines(place / "out") == [1]


def test_files_come_in_the_order_given_globs_sorted_and_each_once(build, place, source):
    for name in ("b2.jsonl", "b10.jsonl", "a.jsonl", "c.jsonl"):
        source(chat(name, "answer"), name=name)
    outcome = build("c.jsonl", "b*.jsonl", "*.jsonl", "./c.jsonl", "--output", "out", "--json")
    assert outcome.code == 0
    files = [origin["file"] for origin in load_from_disk(str(place / "out"))["origin"]]
    assert files == ["c.jsonl", "b10.jsonl", "b2.jsonl", "a.jsonl"]
    assert outcome.json["totals"]["rows"] == 4


@pytest.mark.parametrize("pattern", ["gone.jsonl", "gone*.jsonl", "folder/gone.jsonl", "."])
def test_a_missing_source_is_named(build, place, pattern):
    outcome = build(pattern, "--output", "out")
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert pattern in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (place / "out").exists()


def test_one_missing_source_among_several_stops_before_anything_is_written(build, place, source):
    outcome = build(source(GOOD), "gone.jsonl", "--output", "out")
    assert outcome.code == 2
    assert "gone.jsonl" in outcome.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize("data", [b"", b"\n\n \r\n", gzip.compress(b"", mtime=0)])
def test_an_empty_source_is_no_data_set(build, place, data):
    (place / "rows.jsonl").write_bytes(data)
    outcome = build("rows.jsonl", "--max-rejects", "1", "--output", "out")
    assert outcome.code == 1
    assert "there is no row in rows.jsonl" in outcome.stderr
    with pytest.raises(FileNotFoundError):
        load_from_disk(str(place / "out"))


def test_an_empty_source_beside_another_is_no_fault(build, place, source):
    (place / "empty.jsonl").write_bytes(b"")
    assert build("empty.jsonl", source(GOOD), "--output", "out").code == 0
    assert trained_lines(place / "out") == [1]


def test_a_name_that_looks_like_a_glob_is_that_file(build, place, source):
    source(chat("not this one", "x"), name="a1.jsonl")
    assert build(source(GOOD, name="a[1].jsonl"), "--output", "out").code == 0
    assert load_from_disk(str(place / "out"))["origin"][0]["file"] == "a[1].jsonl"


TOO_LONG = "x" * 300


@pytest.mark.parametrize(
    ("args", "tokenizer"),
    [
        ((TOO_LONG, "--output", "out"), None),
        (("rows.jsonl", "--output", TOO_LONG), None),
        (("rows.jsonl", "--output", "out", "--chat-template", "{{ messages }}" + TOO_LONG), None),
        (("rows.jsonl", "--output", "out"), TOO_LONG),
    ],
)
def test_a_name_that_no_file_can_have_is_a_usage_error(build, place, source, args, tokenizer):
    """Somebody gives the template itself where its file is asked for."""
    source(GOOD)
    outcome = build(*args, **({"tokenizer": tokenizer} if tokenizer else {}))
    assert outcome.code == 2
    assert "xxx" in outcome.stderr
    assert not (place / "out").exists()


def test_a_NUL_in_a_name_is_a_usage_error(build, place, source):
    source(GOOD)
    (place / "nul.yaml").write_text('output: "a\\0b"\n')
    outcome = build("rows.jsonl", "--config", "nul.yaml")
    assert outcome.code == 2
    (place / "nul.yaml").write_text('sources: ["a\\0b"]\noutput: out\n')
    assert build("--config", "nul.yaml").code == 2
