"""Faults planted in rows of a build that is written out as other tools write theirs: each is found, and no other."""

from __future__ import annotations

import pytest
from builds import THINKS, chat, jsonl, run
from bundled import CONVERSATIONS, TOKENIZER
from inspections import columns, make, sample_build

from maskprep.tokenizer.load import load_tokenizer

WITH = ("--tokenizer", TOKENIZER)


@pytest.fixture(scope="module")
def rows():
    return columns(sample_build())


def judged(data, *words, source=CONVERSATIONS):
    outcome = run("judge", data, *WITH, *(["--source", source] if source else []), *words, "--json")
    assert outcome.code == 1, outcome
    return outcome.json


def copy(row):
    """Return a row as other tools have it: ids and labels, to be changed."""
    return {"input_ids": [*row["input_ids"]], "labels": [*row["labels"]], "spans": row["spans"]}


def spans(row, **wanted):
    """Return the spans with these fields."""
    return [span for span in row["spans"] if all(span[key] == value for key, value in wanted.items())]


def with_span(rows, **wanted):
    return copy(next(row for row in rows if spans(row, **wanted)))


def set_labels(row, span, *, trained):
    for at in range(span["start"], span["end"]):
        row["labels"][at] = row["input_ids"][at] if trained else -100
    return span["end"] - span["start"]


def header(rows):
    row = with_span(rows, trained=True)
    span = next(
        span
        for span in spans(row, role="template")
        if span["start"] and span["end"] == spans(row, trained=True)[0]["start"]
    )
    return row, set_labels(row, span, trained=True)


def others(rows):
    row = with_span(rows, role="user")
    return row, set_labels(row, spans(row, role="user")[0], trained=True)


def tool_text(rows):
    row = with_span(rows, role="tool")
    return row, set_labels(row, spans(row, role="tool")[0], trained=True)


def stop(rows):
    row = with_span(rows, part="stop", trained=True)
    return row, set_labels(row, spans(row, part="stop", trained=True)[0], trained=False)


def untrained(rows):
    row = with_span(rows, part="content", trained=True)
    span = spans(row, part="content", trained=True)[0]
    row["labels"][span["start"]] = -100
    return row, 1


def context(rows):
    row = copy(rows[0])
    row["input_ids"].insert(0, row["input_ids"][-2])
    row["labels"].insert(0, -100)
    return row, sum(label != -100 for label in row["labels"])


def reasoning(rows):
    row = copy(
        next(
            row
            for row in rows
            if len(spans(row, part="stop", trained=True)) == 1 and spans(row, part="reasoning", trained=True)
        )
    )
    span = spans(row, part="reasoning", trained=True)[0]
    for name in ("input_ids", "labels"):
        del row[name][span["start"] : span["end"]]
    return row, span["end"] - span["start"]


def ids(rows):
    tokenizer = load_tokenizer(str(TOKENIZER)).tokenizer
    for each in rows:
        for span in spans(each, part="content", trained=True)[-1:]:  # what follows would have another context
            for at in range(span["start"] + 1, span["end"] - 1):
                text = tokenizer.decode([each["input_ids"][at]])
                letters = [tokenizer.encode(letter, add_special_tokens=False) for letter in text]
                if len(text) > 2 and text.isascii() and text.isalpha() and all(len(one) == 1 for one in letters):
                    row, spelt = copy(each), [one[0] for one in letters]
                    for name in ("input_ids", "labels"):
                        row[name][at : at + 1] = spelt
                    return row, len(spelt)
    raise AssertionError


def labels(rows):
    row = with_span(rows, part="content", trained=True)
    row["labels"][spans(row, part="content", trained=True)[0]["start"]] += 1
    return row, 1


def shifted(rows):
    row = copy(rows[1])
    row["labels"] = [*row["labels"][1:], -100]
    return row, sum(label != -100 for label in row["labels"])


def padding(rows):
    row = copy(rows[2])
    row["attention_mask"] = [1] * len(row["input_ids"]) + [0] * 3
    for name in ("input_ids", "labels"):
        row[name] += [7] * 3
    return row, 3


def nothing(rows):
    row = copy(rows[3])
    row["labels"] = [-100] * len(row["labels"])
    return row, len(row["labels"])


PLANTED = {
    "header": header,
    "others": others,
    "stop": stop,
    "untrained": untrained,
    "context": context,
    "reasoning": reasoning,
    "ids": ids,
    "labels": labels,
    "shifted": shifted,
    "padding": padding,
    "nothing": nothing,
}


def written(place, many, name="data.jsonl"):
    (place / name).write_bytes(jsonl(*({key: row[key] for key in row if key != "spans"} for row in many)))
    return place / name


def test_each_planted_fault_is_found_and_nothing_else(place, rows):
    planted = {kind: plant(rows) for kind, plant in PLANTED.items()}
    sound = [copy(row) for row in rows[:5]]
    report = judged(written(place, [*sound, *(row for row, _ in planted.values())]))
    found = {kind: (fault["tokens"], fault["documents"], fault["first"]) for kind, fault in report["faults"].items()}
    expected = {
        kind: (tokens, 1, [f"{place / 'data.jsonl'}:{number}"])
        for number, (kind, (_, tokens)) in enumerate(planted.items(), len(sound) + 1)
    }
    assert found == expected
    assert (report["held_against_source"], report["faulty_documents"]) == (len(sound) + len(planted), len(planted))


def test_a_trained_result_of_a_tool_is_text_of_others(place, rows):
    row, tokens = tool_text(rows)
    report = judged(written(place, [row]))
    assert {kind: fault["tokens"] for kind, fault in report["faults"].items()} == {"others": tokens}


def test_a_turn_that_lacks_what_the_template_writes_of_it_is_found(place):
    (place / "thinks.jinja").write_text(THINKS)
    (place / "rows.jsonl").write_bytes(jsonl(chat("Is it raining in Oslo today?", "A little.", "And tomorrow?", "No.")))
    template = ("--chat-template", "thinks.jinja")
    built = make(place / "out", "rows.jsonl", "--history", "rendered", *template)
    report = judged(built, *template, source="rows.jsonl")
    lacking = load_tokenizer(str(TOKENIZER)).tokenizer.encode("<think>\n\n</think>\n\n", add_special_tokens=False)
    assert {kind: fault["tokens"] for kind, fault in report["faults"].items()} == {"ids": len(lacking)}


def test_text_that_the_source_keeps_out_of_the_loss_is_found(place):
    talk = chat("Is it raining in Oslo today?", "Yes, a little.", "And in Bergen tomorrow?", "It always does there.")
    (place / "plain.jsonl").write_bytes(jsonl(talk))
    built = make(place / "out", place / "plain.jsonl", "--history", "rendered")
    talk["messages"][3]["weight"] = 0
    (place / "weighted.jsonl").write_bytes(jsonl(talk))
    report = judged(built, source=place / "weighted.jsonl")
    assert set(report["faults"]) == {"excluded"}


def test_a_mask_of_all_tokens_is_told_of(place, rows):
    row = copy(rows[0])
    del row["labels"]
    report = judged(written(place, [row]))
    assert report["mask_columns"] == []
    assert {"header", "others"} <= set(report["faults"])


@pytest.mark.parametrize(
    ("plant", "kind"), [(header, "header"), (stop, "stop"), (shifted, "shifted"), (labels, "labels")]
)
def test_without_a_source_ids_and_template_tell_it(place, rows, plant, kind):
    row, _ = plant(rows)
    found = judged(written(place, [row, copy(rows[4])]), source=None)["faults"]
    assert kind in found
    assert found[kind]["documents"] == 1
    assert set(found) <= {kind, "opening"}


def test_ids_beyond_the_vocabulary_are_told_of(place, rows):
    row = copy(rows[0])
    row["input_ids"][-1] = 10**9
    assert judged(written(place, [row]), source=None)["faults"]["vocabulary"]["tokens"] == 1


def test_examples_show_both_masks(place, rows):
    data = written(place, [header(rows)[0]])
    outcome = run("judge", data, *WITH, "--source", CONVERSATIONS)
    assert outcome.code == 1
    assert "⟦+ " in outcome.stdout
    run("judge", data, *WITH, "--source", CONVERSATIONS, "--html", "page.html")
    assert (place / "page.html").stat().st_size > 1000
