"""``maskprep inspect OUT``: the rows of a build, chosen in every way, say what the build's own columns say."""

from __future__ import annotations

import json
import re

import pytest
from builds import chat
from bundled import CONVERSATIONS
from inspections import WITH_TOKENIZER, columns, facts, inspect, make, refused, sample_build, shown
from transformers import AutoTokenizer
from unmarked import ACTS, unmark

HEADING = re.compile(r"^row (\d+) of ([\d,]+)  (.*):(\d+)  sequence (\d+)  ([\d,]+) tokens, ([\d,]+) trained \(.*\)$")
MARKS = "·↵⇥‹›⟦⟧╎\\"
EVIL = "\x1b]8;;http://x\x07\x1b[2J\x9b31m \u202egpj.exe\u2066 [/red] <script>x</script> \x08\u2028\u200b "
EVIL += "\U0001f469\u200d\U0001f680 مرحبا שלום हिन्दी e\u0301 ⟦forged⟧"


def taken_apart(output):
    """Return what is printed of each row: its heading's fields, its findings, its text."""
    rows: list[tuple] = []
    for line in output.split("\n\nlegend: ")[0].split("\n"):
        if found := HEADING.match(line):
            rows.append((found.groups(), [], []))
        elif line.startswith("  ") and not rows[-1][2]:
            rows[-1][1].append(line.strip())
        else:
            rows[-1][2].append(line)
    return [(heading, findings, "\n".join(lines)) for heading, findings, lines in rows]


def numbers(*words):
    return [row["row"] for row in facts(sample_build(), *words)["rows"]]


def test_every_row_is_shown_as_the_columns_have_it():
    """The issue's first acceptance: the trained count is the labels', the joined text is the decoded row."""
    stored = columns(sample_build())
    tokenizer = AutoTokenizer.from_pretrained(sample_build() / "tokenizer")
    rows = taken_apart(shown(sample_build(), "--rows", ":", "--full"))
    assert len(rows) == len(stored)
    for number, (row, (heading, _, text)) in enumerate(zip(stored, rows, strict=True)):
        ids, labels, origin = row["input_ids"], row["labels"], row["origin"]
        trained = sum(label != -100 for label in labels)
        assert heading[:2] == (str(number), str(len(stored)))
        assert heading[2:5] == (origin["file"], str(origin["line"]), str(origin["sequence"]))
        assert heading[5:] == (f"{len(ids):,}", f"{trained:,}")
        decoded = tokenizer.decode(ids)
        if set(decoded) & set(MARKS):  # a text that itself holds marks cannot be told from them
            continue
        # Between two rows stands an empty line, which the row before may end with.
        assert unmark(re.sub("[⟦⟧]", "", text)).decode().rstrip("\n") == decoded.rstrip("\n")
        runs = "".join(chr(0) if label == -100 else chr(1) for label in labels)
        wanted = [tokenizer.decode(ids[found.start() : found.end()]) for found in re.finditer("\1+", runs)]
        assert [unmark(run).decode() for run in re.findall("⟦(.*?)⟧", text, re.DOTALL)] == wanted


def test_most_rows_of_the_sample_hold_no_marks():
    decoded = [row["text"] for row in facts(sample_build(), "--rows", ":")["rows"]]
    assert sum(not set(text) & set(MARKS) for text in decoded) > 50


def test_json_tells_each_token():
    stored = columns(sample_build())
    report = facts(sample_build(), "--rows", ":")
    assert report["total_rows"] == len(report["rows"]) == len(stored)
    for row, told in zip(stored, report["rows"], strict=True):
        tokens = told["by_token"]
        assert [token["id"] for token in tokens] == row["input_ids"]
        assert [token["label"] for token in tokens] == row["labels"]
        assert [token["index"] for token in tokens] == list(range(len(tokens)))
        assert told["tokens"] == len(tokens)
        assert told["trained_tokens"] == sum(label != -100 for label in row["labels"])
        assert told["origin"] == row["origin"]
        for span in row["spans"]:
            for token in tokens[span["start"] : span["end"]]:
                assert (token["role"], token["part"], token["message"]) == (span["role"], span["part"], span["message"])
        data = b"".join(
            bytes.fromhex(token["bytes"]) if "bytes" in token else token["text"].encode() for token in tokens
        )
        assert data.decode() == told["text"]


def test_the_first_row_unless_another_is_asked_for():
    assert numbers() == numbers("--row", "0") == [0]


def test_rows_by_number():
    total = len(columns(sample_build()))
    assert numbers("--row", "-1") == [total - 1]
    assert numbers("--rows", "2:4") == [2, 3]
    assert numbers("--rows=-2:") == [total - 2, total - 1]
    once = numbers("--random", "5", "--seed", "1")
    assert once == numbers("--random", "5", "--seed", "1") == sorted(set(once))
    assert once != numbers("--random", "5", "--seed", "2")


def test_rows_that_hold_a_text():
    wanted = [row["row"] for row in facts(sample_build(), "--rows", ":")["rows"] if "the" in row["text"]]
    assert len(wanted) > 20
    assert numbers("--find", "the", "--limit", "1000") == wanted
    assert numbers("--find", "the") == wanted[:20]
    assert numbers("--find", "the", "--limit", "2") == wanted[:2]
    assert "mushroom risotto" in shown(sample_build(), "--find", "mushroom risotto")


def test_a_row_by_its_origin():
    for number, row in enumerate(columns(sample_build())):
        if number % 10 == 0:
            assert number in numbers("--origin", f"{CONVERSATIONS}:{row['origin']['line']}")
    output = shown(sample_build(), "--origin", f"{CONVERSATIONS}:8")
    assert output.startswith(f"{CONVERSATIONS}:8  rejected: not-json\nnot JSON: Unterminated string")


def test_rows_with_a_finding_or_a_reject():
    rows = facts(sample_build(), "--finding", "border-split")["rows"]
    assert {row["origin"]["line"] for row in rows} == {51}  # all that became of that source row
    assert rows[0]["findings"] == [{"code": "border-split", "detail": "a token before messages[1] was split"}]
    (split,) = [token for row in rows for token in row["by_token"] if token.get("border_split")]
    assert split["label"] == split["id"]
    assert "╎" in shown(sample_build(), "--finding", "border-split").split("legend:")[0]
    assert len(numbers("--finding", "text-parts-joined")) == 3
    assert len(numbers("--finding", "text-parts-joined", "--limit", "1")) == 1
    (reject,) = facts(sample_build(), "--finding", "unknown-role")["rows"]
    assert reject["row"] is None
    assert reject["rejected"]["code"] == "unknown-role"
    assert reject["rejected"]["message"].startswith("messages[1].role is 'narrator'")


def test_special_tokens_are_told():
    (row,) = facts(sample_build())["rows"]
    assert {token["text"] for token in row["by_token"] if token["special"]} == {"<|im_start|>", "<|im_end|>"}


def test_the_table():
    stored = columns(sample_build())[0]
    lines = shown(sample_build(), "--tokens").rstrip("\n").split("\n")[1:]
    assert lines[0].split() == ["index", "id", "text", "label", "role", "part", "message"]
    assert len(lines) - 1 == len(stored["input_ids"])
    for index, line in enumerate(lines[1:]):
        words = line.split()
        assert words[:2] == [str(index), str(stored["input_ids"][index])]
        assert f" {stored['labels'][index]}  " in line


def test_rows_are_folded_unless_full():
    # The second row that has tools is long enough.
    folded, whole = (
        shown(sample_build(), "--find", "These tools can be used", "--limit", "1", *more) for more in ((), ["--full"])
    )
    assert re.search(r" … [\d,]+ masked tokens … ", folded)
    assert "masked tokens" not in whole
    assert len(whole) > len(folded)


def test_text_that_was_sought_is_seen():
    text = facts(sample_build(), "--find", "These tools can be used", "--limit", "1")["rows"][0]["text"]
    middle = text.index("These tools can be used") + 300
    wanted = re.search(r"\w{5,}", text[middle:])[0]
    assert wanted in shown(sample_build(), "--find", wanted, "--limit", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("--row", "0", "--find", "x"),
        ("--rows", "0:1", "--random", "2"),
        ("--stats", "--row", "0"),
        ("--compare", "x.yaml", "--find", "x"),
        ("--stats", "--compare", "x.yaml"),
        ("--stats", "--html", "x.html"),
        ("--row", "99999"),
        ("--row", "-99999"),
        ("--rows", "99999:"),
        ("--rows", "-:5"),
        ("--rows", "x"),
        ("--random", "0"),
        ("--limit", "-1", "--find", "x"),
        ("--find", ""),
        ("--find", "no row holds this"),
        ("--finding", "no-such-code"),
        ("--origin", "elsewhere:1"),
        ("--origin", "x"),
        ("--tokenizer", "x"),
        ("--config", "x.yaml"),
        ("--set", "train.turns=last"),
        ("--max-length", "0"),
        ("--history", "mask"),
        ("--chat-template", ""),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(words, place):
    refused(sample_build(), *words)
    outcome = inspect(sample_build(), *words, "--json")
    assert (outcome.code, outcome.stderr) == (2, "")
    assert outcome.json["error"]
    assert not list(place.iterdir())


def test_what_is_no_build_is_refused(place):
    (place / "folder").mkdir()
    assert "the folder folder holds no file of rows" in refused("folder")
    assert "no such file: nowhere" in refused("nowhere")
    assert "tokenizer is missing" in refused(CONVERSATIONS)
    assert "the folder folder holds no file of rows" in refused(CONVERSATIONS, "folder", "--tokenizer", "x")


def test_an_unknown_code_is_answered_with_those_that_there_are():
    told = refused(sample_build(), "--finding", "border-splitt")
    assert "did you mean border-split?" in told
    assert "the codes are border-split, control-token, nan" in told
    assert "too-long" not in told, "none of this build"
    told = refused(CONVERSATIONS, *WITH_TOKENIZER, "--finding", "nonsense")
    assert "too-long" in told, "of a source, nobody knows beforehand"


def test_what_is_compared_with_is_called_so(place):
    assert "--compare nonsense: there is no such build, and no such configuration file" in refused(
        sample_build(), "--compare", "nonsense"
    )
    (place / "folder").mkdir()
    assert "--compare folder: the folder holds no build" in refused(sample_build(), "--compare", "folder")


def test_a_page_that_cannot_be_written_is_called_as_it_was(place):
    assert "--html no/x.html: there is no folder 'no'" in refused(sample_build(), "--html", "no/x.html")
    (place / "folder").mkdir()
    assert "--html folder: this is a folder" in refused(sample_build(), "--html", "folder")
    long = f"{'x' * 245}.html"
    assert f"{long}: File name too long" in refused(sample_build(), "--html", long)


def test_a_build_of_nothing(place, source):
    empty = make(place / "empty", source({}, {}))
    assert "there is no row" in refused(empty)
    assert "there is no row 0: there are 0" in refused(empty, "--row", "0")
    assert len(facts(empty, "--finding", "no-messages")["rows"]) == 2
    assert facts(empty, "--stats")["rows_rejected"] == 2


def test_hostile_rows(place, source):
    built = make(place / "evil", source(chat(EVIL, EVIL, f"{EVIL}?", "yes"), {"\x1b[2J": "[/red]"}, b"\xff\x1b[2J"))
    for words in ((), ("--full",), ("--tokens",), ("--find", "script"), ("--stats",), ("--finding", "no-messages")):
        output = shown(built, *words)
        assert not ACTS.search(output), words
        if "--stats" not in words and "--finding" not in words:
            assert "\\x1b" in output
            assert "\\u202e" in output or "‹E2›‹80›‹AE›" in output or "--tokens" in words
    # The row itself is untouched.
    assert facts(built)["rows"][0]["text"].count(EVIL) == 3
    trained = re.findall("⟦(.*?)⟧", shown(built).split("legend:")[0], re.DOTALL)
    assert len(trained) == 2
    assert trained[1] == "yes<|im_end|>"


def test_a_file_name_cannot_act(place, source):
    name = "\x1b[2J\u202e[red].jsonl"
    built = make(place / "named", source(chat("a", "b"), {}, name=name))
    output = shown(built) + shown(built, "--stats") + shown(built, "--origin", f"{name}:2")
    assert not ACTS.search(output)
    assert output.count("\\x1b[2J\\u202e[red].jsonl") == 3
    assert facts(built)["rows"][0]["origin"]["file"] == name


def test_json_is_ascii_and_one_line(place, source):
    built = make(place / "evil", source(chat(EVIL, EVIL)))
    for words in ((), ("--stats",), ("--finding", "x"), ("--compare", built)):
        output = inspect(built, *words, "--json").stdout
        assert output.isascii()
        assert output.count("\n") == 1
        assert isinstance(json.loads(output), dict)
