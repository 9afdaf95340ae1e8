"""``maskprep inspect --compare``: two builds, or two policies for one source."""

from __future__ import annotations

import gc
import weakref
from datetime import datetime, timedelta

import numpy as np
import pytest
from builds import chat, jsonl
from bundled import CONVERSATIONS
from hypothesis import given
from hypothesis import strategies as st
from inspections import WITH_TOKENIZER, columns, facts, make, refused, sample_build, shown

from maskprep.inspect.compare import compare
from maskprep.inspect.views import RowView
from maskprep.labelled import Labelled, Span

COUNTS = ("rows", "equal", "differing", "only_first", "only_second", "other_ids")
COUNTS += ("missing_in_first", "missing_in_second")


class PlainViewer:
    """Makes views without a tokenizer."""

    def view(self, number, where, sequence, labelled, findings=()):
        from maskprep.inspect.views import TokenView

        trained = (labelled.labels != -100).tolist()
        tokens = [
            TokenView(index, id_, b"x", trained[index], "user", "content", 0, special=False)
            for index, id_ in enumerate(labelled.input_ids.tolist())
        ]
        return RowView(number, where, sequence, tuple(tokens))


def labelled(ids, trained):
    ids = np.array(ids, np.int64)
    labels = np.where(np.array(trained, bool), ids, -100)
    return Labelled(ids, labels, (Span("user", "content", 0, 0, len(ids), False),) if len(ids) else ())


def compared(first, second, limit=20):
    return compare(("a", iter(first)), ("b", iter(second)), PlainViewer(), limit)


def row(line, ids=(1, 2, 3), trained=(0, 0, 1), file="f", sequence=0):
    return (file, line, sequence), labelled(ids, trained)


# The comparison itself

ROWS = st.lists(
    st.tuples(
        st.sampled_from("fg"),
        st.integers(1, 4),
        st.integers(0, 1),
        st.sampled_from([(1, 2, 3), (1, 2), (1, 2, 4), ()]),
        st.integers(0, 7),
    ),
    max_size=12,
    unique_by=lambda drawn: drawn[:3],
)


def rows_of(drawn):
    return [
        ((file, line, sequence), labelled(ids, [mask >> index & 1 for index in range(len(ids))]))
        for file, line, sequence, ids, mask in drawn
    ]


@given(ROWS, ROWS, st.integers(1, 4))
def test_any_order_gives_the_same_as_the_plain_way(first, second, limit):
    mine, theirs = rows_of(first), rows_of(second)
    there = dict(theirs)
    expected = dict.fromkeys(COUNTS, 0)
    differ = []
    for number, (key, here) in enumerate(mine):
        expected["rows"] += 1
        other = there.get(key)
        if other is None:
            expected["missing_in_second"] += 1
        elif here.input_ids.tolist() != other.input_ids.tolist():
            expected["other_ids"] += 1
        else:
            a, b = here.labels != -100, other.labels != -100
            expected["only_first"] += int((a & ~b).sum())
            expected["only_second"] += int((b & ~a).sum())
            expected["equal" if (a == b).all() else "differing"] += 1
            differ += [] if (a == b).all() else [number]
    expected["missing_in_first"] = len(there.keys() - dict(mine).keys())
    found = compared(mine, theirs, limit)
    assert {name: getattr(found, name) for name in COUNTS} == expected
    assert [view.number for view in found.shown] == differ[:limit]
    for view in found.shown:
        other = there[view.where.file, view.where.line, view.sequence]
        assert [token.other for token in view.tokens] == (other.labels != -100).tolist()


def test_streams_in_one_order_are_read_side_by_side():
    """Whatever is missing on either side, no more than a row lies between the two, and nothing is held whole."""
    alive, most = 0, 0
    read = {"a": 0, "b": 0}

    def died():
        nonlocal alive
        alive -= 1

    def stream(name, without):
        nonlocal alive, most
        for line in range(1, 400):
            if line % without:
                key, item = row(line, ids=range(line % 5 + 1), trained=[1] * (line % 5 + 1))
                weakref.finalize(item.input_ids, died)
                alive += 1
                most = max(most, alive)
                read[name] = line
                assert abs(read["a"] - read["b"]) <= 8 or not all(read.values())
                yield key, item

    found = compare(("a", stream("a", 400)), ("b", stream("b", 7)), PlainViewer(), 3)
    gc.collect()
    assert (found.rows, found.equal, found.missing_in_second) == (399, 342, 57)
    assert most <= 57 + 8


def test_what_was_missed_is_held_as_bits_beyond_a_limit(monkeypatch):
    monkeypatch.setattr("maskprep.inspect.compare._SHOWABLE", 2)
    mine = [row(line, trained=(0, 1, 1)) for line in range(1, 6)]
    theirs = [row(line, file="g") for line in range(1, 3)] + [row(line) for line in (5, 4, 3, 2, 1)]
    found = compared(mine, [*theirs[:2], row(9), *theirs[2:]])
    assert (found.differing, found.only_first, found.missing_in_first) == (5, 5, 3)
    # The counts are whole; of the rows that were not there in time only so many can be shown.
    assert [view.number for view in found.shown] == [0, 1]


# On the command line


def test_a_build_and_itself():
    told = facts(sample_build(), "--compare", sample_build())
    total = len(columns(sample_build()))
    assert {name: told[name] for name in COUNTS} == {**dict.fromkeys(COUNTS, 0), "rows": total, "equal": total}
    assert told["rows_shown"] == []


@pytest.fixture(scope="module")
def last_turn(tmp_path_factory):
    """Return a build that trains the content of last turns."""
    options = ("--set", "train.turns=last", "--set", "train.parts=[content]")
    return make(tmp_path_factory.mktemp("last") / "out", CONVERSATIONS, *options)


def test_two_builds(last_turn):
    told = facts(sample_build(), "--compare", last_turn, "--limit", "1000")
    mine, theirs = columns(sample_build()), columns(last_turn)
    there = {tuple(row["origin"].values()): row for row in theirs}
    pairs = [(row, there[key]) for row in mine if (key := tuple(row["origin"].values())) in there]
    assert told["missing_in_second"] == len(mine) - len(pairs)
    assert told["missing_in_first"] == 0
    same = [(a["labels"], b["labels"]) for a, b in pairs if a["input_ids"] == b["input_ids"]]
    assert told["other_ids"] == len(pairs) - len(same)
    assert told["equal"] == sum(a == b for a, b in same)
    assert told["differing"] == sum(a != b for a, b in same) == len(told["rows_shown"])
    assert told["only_first"] == sum(x != -100 == y for a, b in same for x, y in zip(a, b, strict=True))
    assert told["only_first"] > 1000
    assert told["only_second"] == 0
    for view in told["rows_shown"]:
        other = there[tuple(view["origin"].values())]
        assert [token["trained_in_other"] for token in view["by_token"]] == [x != -100 for x in other["labels"]]
    back = facts(last_turn, "--compare", sample_build())
    assert (back["only_second"], back["only_first"]) == (told["only_first"], 0)
    assert (back["missing_in_first"], back["missing_in_second"]) == (told["missing_in_second"], 0)


def test_a_configuration_instead_of_a_build(last_turn, place):
    (place / "last.yaml").write_text("train: {turns: last, parts: [content]}\n")
    told = facts(sample_build(), "--compare", last_turn)
    again = facts(sample_build(), "--compare", "last.yaml")
    assert {name: again[name] for name in COUNTS} == {name: told[name] for name in COUNTS}
    assert again["rows_shown"] == told["rows_shown"]
    source = facts(CONVERSATIONS, *WITH_TOKENIZER, "--compare", "last.yaml")
    assert {name: source[name] for name in COUNTS} == {name: told[name] for name in COUNTS}
    mixed = facts(CONVERSATIONS, *WITH_TOKENIZER, "--set", "train.turns=last", "--compare", last_turn)
    assert mixed["missing_in_second"] == mixed["missing_in_first"] == 0


def test_the_difference_is_printed(place, source):
    (place / "content.yaml").write_text("train: {parts: [content]}\n")
    output = shown(source(chat("q", "yes", "q", "no")), *WITH_TOKENIZER, "--compare", "content.yaml")
    assert "+ trained only in rows.jsonl\n- trained only in content.yaml\n" in output
    assert "yes⟦+ <|im_end|>⟧" in output
    assert "no⟦+ <|im_end|>⟧" in output
    assert "tokens trained only in the first: 2, in the second: 0" in output
    assert "⟦-" not in output


def test_rows_with_other_ids_and_rows_on_one_side(place, source):
    (place / "named.jinja").write_text(
        "{% for m in messages %}{% if m.content == 'odd' %}{{ raise_exception('odd') }}{% endif %}<|im_start|>"
        "{{ m.role }}:\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant:\n{% endif %}"
    )
    (place / "named.yaml").write_text("chat_template: named.jinja\n")
    rows = source(chat("q", "a"), chat("odd", "b"), chat("q", "c"))
    told = facts(rows, *WITH_TOKENIZER, "--compare", "named.yaml")
    assert (told["rows"], told["other_ids"], told["missing_in_second"]) == (3, 2, 1)
    output = shown(rows, *WITH_TOKENIZER, "--compare", "named.yaml")
    assert "with other ids in the second, not to be compared token by token: 2 rows" in output
    assert "not in the second: 1 row\n" in output


def test_builds_of_other_files_have_no_row_in_common(place, source):
    first = make(place / "first", source(chat("q", "a"), name="a.jsonl"))
    second = make(place / "second", source(chat("q", "a"), name="b.jsonl"))
    assert "no row is in both" in shown(first, "--compare", second)


def test_builds_that_took_their_files_in_another_order(place, source):
    names = [
        source(*(chat("q", f"{name}{number}") for number in range(9)), name=name) for name in ("a.jsonl", "b.jsonl")
    ]
    first = make(place / "first", *names[:1], *names[1:])
    second = make(place / "second", *reversed(names))
    told = facts(first, "--compare", second)
    assert (told["rows"], told["equal"]) == (18, 18)


class Clock(datetime):
    """A clock that is never asked twice in one second."""

    asked = 0

    @classmethod
    def now(cls, zone=None):
        cls.asked += 1
        return datetime(2020, 1, 1, tzinfo=zone) + timedelta(seconds=cls.asked)


def test_a_template_that_is_told_the_time_does_not_differ_by_it(place, source, monkeypatch):
    monkeypatch.setattr("maskprep.examples.inputs.datetime", Clock)
    (place / "clock.jinja").write_text(
        "{{ strftime_now('%Y %S') }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (place / "last.yaml").write_text("train: {turns: last}\n")
    rows = source(chat("q", "a"))
    built = make(place / "built", rows, "--chat-template", "clock.jinja", "--set", "now=1999-01-01T00:00:00+00:00")
    assert facts(built, "--compare", "last.yaml")["equal"] == 1
    undated = make(place / "undated", rows, "--chat-template", "clock.jinja")
    told = (undated / "maskprep" / "manifest.json").read_text("utf-8")
    (undated / "maskprep" / "manifest.json").write_text(told.replace('"now": "2020', '"now": "1919'), "utf-8")
    assert facts(undated, "--compare", "last.yaml")["other_ids"] == 1  # the manifest's time is the one that counts
    assert facts(rows, *WITH_TOKENIZER, "--chat-template", "clock.jinja", "--compare", "last.yaml")["equal"] == 1


@pytest.mark.parametrize(
    "other",
    ["nowhere.yaml", "folder", "list.yaml", "unknown.yaml", "binary.yaml"],
)
def test_what_cannot_be_compared_with_is_refused(place, other):
    (place / "folder").mkdir()
    (place / "list.yaml").write_text("[1]")
    (place / "unknown.yaml").write_text("histroy: mask")
    (place / "binary.yaml").write_bytes(b"\xff\xfe\0")
    refused(sample_build(), "--compare", other)


def test_standard_input_can_be_read_once(place, source):
    (place / "last.yaml").write_text("train: {turns: last}\n")
    data = jsonl(chat("q", "a"))
    assert "can be read once" in refused("-", *WITH_TOKENIZER, "--compare", "last.yaml", stdin=data)
    from inspections import run

    built = ("build", "-", "--output", "built", *WITH_TOKENIZER)
    assert run(*built, stdin=data).code == 0
    assert "standard input, which is gone" in refused("built", "--compare", "last.yaml")
    assert facts("built", "--compare", "built")["equal"] == 1


def test_a_page_of_the_difference(place, source):
    (place / "content.yaml").write_text("train: {parts: [content]}\n")
    told = facts(source(chat("q", "yes")), *WITH_TOKENIZER, "--compare", "content.yaml", "--html", "page.html")
    assert told["bytes"] == (place / "page.html").stat().st_size
