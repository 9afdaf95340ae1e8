"""Data sets of the library ``datasets``, mapped: the columns, the report, the cache."""

from __future__ import annotations

import json

import pytest
from builds import THINKS, chat
from bundled import CONVERSATIONS, TOKENIZER
from datasets import Dataset, DatasetDict, IterableDataset, load_dataset

import maskprep

GOOD = [chat(f"question {n}", f"answer {n}", "more?", "no") for n in range(40)]
BAD = {"messages": [{"role": "user", "content": "nobody answers"}]}


@pytest.fixture(scope="module")
def masker():
    return maskprep.Masker(TOKENIZER)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    from datasets import config

    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def thinks(tmp_path):
    (tmp_path / "thinks.jinja").write_text(THINKS)
    return {"chat_template": str(tmp_path / "thinks.jinja")}


def on_disk(rows, tmp_path, name="rows"):
    (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_dataset(
        "json", data_files=str(tmp_path / f"{name}.jsonl"), split="train", cache_dir=str(tmp_path / "hf")
    )


def expected(masker, rows):
    return [s.columns() for row in rows for s in masker(row).sequences]


def test_a_data_set_in_memory(masker):
    mapped = masker.map(Dataset.from_list(GOOD))
    assert mapped.column_names == ["input_ids", "labels"]
    assert mapped.to_list() == expected(masker, GOOD)
    assert mapped.data_report["rows_used"] == 40
    assert mapped.data_report["tokens"] == sum(map(len, mapped["input_ids"]))


def test_spans_stay_where_asked(masker):
    mapped = masker.map(Dataset.from_list(GOOD[:3]), spans=True)
    assert mapped.column_names == ["input_ids", "labels", "spans", "origin"]
    assert [row["origin"]["line"] for row in mapped] == [1, 2, 3]


def test_rows_that_cannot_be_used_become_none_and_are_told(masker):
    rows = [*GOOD[:5], BAD, *GOOD[5:10]]
    with pytest.raises(maskprep.RejectedError, match="1 of 11 rows were rejected, more than max_rejects") as caught:
        masker.map(Dataset.from_list(rows))
    assert caught.value.facts["rejects"]["nothing-to-train"]["rows"] == 1
    mapped = maskprep.Masker(TOKENIZER, max_rejects=0.5).map(Dataset.from_list(rows))
    assert mapped.to_list() == expected(masker, GOOD[:10])
    [left] = mapped.data_report["rejected_rows"]
    assert (left["row"], left["code"]) == (5, "nothing-to-train")


@pytest.mark.parametrize("history", ["split", "tree", "mask", "rendered"])
def test_every_history(thinks, history):
    masker = maskprep.Masker(TOKENIZER, history=history, **thinks)
    mapped = masker.map(Dataset.from_list(GOOD[:6]))
    assert mapped.to_list() == expected(masker, GOOD[:6])
    assert len(mapped) == (12 if history == "split" else 6)
    assert ("visible_until" in mapped.column_names) == (history == "tree")


def test_what_is_dear_is_told_before_anything_is_made(thinks):
    many = [chat(*["word"] * 16) for _ in range(3)]
    with pytest.raises(maskprep.BuildError, match="recommended: --history tree"):
        maskprep.Masker(TOKENIZER, **thinks).map(Dataset.from_list(many))


def test_weights_are_carried(masker):
    row = chat("a", "b", "c", "d")
    row["messages"][1]["weight"] = 0.5
    mapped = masker.map(Dataset.from_list([GOOD[0], row]))
    assert mapped.column_names == ["input_ids", "labels", "loss_weights"]
    assert set(mapped[0]["loss_weights"]) == {0.0, 1.0}
    assert set(mapped[1]["loss_weights"]) == {0.0, 0.5, 1.0}
    with pytest.raises(maskprep.UsageError, match="weighs its tokens"):
        list(masker.map(Dataset.from_list([row]).to_iterable_dataset()))


def test_a_data_set_on_disk_is_made_once(masker, tmp_path, cache, monkeypatch):
    data = on_disk(GOOD, tmp_path)
    first = masker.map(data)
    kept = sorted(cache.rglob("*.arrow"))
    assert len(kept) == 1
    assert first.cache_files
    monkeypatch.setattr("maskprep.memory.mapping._write", lambda *_: pytest.fail("it was made again"))
    again = maskprep.Masker(TOKENIZER).map(data)
    assert again.to_list() == first.to_list()
    assert again.data_report == first.data_report
    assert again._fingerprint == first._fingerprint
    monkeypatch.undo()
    assert masker.map(data.select(range(3))).num_rows == 3
    assert maskprep.Masker(TOKENIZER, train={"turns": "last"}).map(data)["labels"] != first["labels"]
    assert not list(cache.rglob("maskprep-*"))


def test_a_map_that_fails_leaves_nothing(masker, tmp_path, cache):
    with pytest.raises(maskprep.RejectedError):
        masker.map(on_disk([BAD], tmp_path))
    assert not list(cache.rglob("*.arrow"))


def test_the_splits_of_a_data_set(masker):
    both = DatasetDict({"train": Dataset.from_list(GOOD[:5]), "test": Dataset.from_list(GOOD[5:8])})
    mapped = masker.map(both)
    assert {name: len(part) for name, part in mapped.items()} == {"train": 5, "test": 3}
    assert {name: report["rows_used"] for name, report in mapped.data_report.items()} == {"train": 5, "test": 3}


@pytest.mark.parametrize("history", ["mask", "tree"])
def test_a_stream(thinks, history):
    masker = maskprep.Masker(TOKENIZER, history=history, **thinks)
    source = IterableDataset.from_generator(lambda: iter([*GOOD[:7], BAD, *GOOD[7:]]))
    mapped = masker.map(source)
    found = list(mapped)
    wanted = expected(masker, GOOD)
    assert found == [{**row, **(_plain(row) if history == "tree" else {}), **row} for row in wanted]
    assert mapped.data_report["rows_rejected"] == 1


def _plain(row):
    size = len(row["input_ids"])
    return {"position_ids": list(range(size)), "visible_until": [size] * size}


def test_workers_make_the_same(masker):
    rows = GOOD * 30
    alone, shared = (masker.map(Dataset.from_list(rows), workers=n) for n in (0, 2))
    assert alone.to_list() == shared.to_list()
    assert alone.data_report == shared.data_report


def test_no_rows_at_all(masker):
    mapped = masker.map(Dataset.from_list(GOOD[:1]).select([]))
    assert mapped.column_names == ["input_ids", "labels"]
    assert len(mapped) == 0


def test_what_is_no_data_set_is_refused(masker):
    with pytest.raises(maskprep.UsageError, match="not list"):
        masker.map(GOOD)


def test_the_bundled_conversations_as_a_build_makes_them(tmp_path):
    rows = []
    for line in CONVERSATIONS.read_bytes().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    plain = [{"text": json.dumps(row)} for row in rows]
    assert plain
    settings = {"max_rejects": 1.0, "history": "mask"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    maskprep.build(sources=tmp_path / "rows.jsonl", tokenizer=TOKENIZER, output=tmp_path / "out", **settings)
    built = maskprep.open(tmp_path / "out")
    made = [each for each in maskprep.Masker(TOKENIZER, **settings).many(rows) if isinstance(each, maskprep.Example)]
    assert [s.columns() for each in made for s in each.sequences] == [each.columns() for each in built]


def test_all_rows_of_a_stream_are_read_as_the_first_are(masker):
    rows = [*GOOD, *GOOD, *GOOD, {"prompt": "a", "completion": "b"}]
    data = Dataset.from_list([{**dict.fromkeys(("prompt", "completion")), **row} for row in rows])
    mapped = masker.map(data.to_iterable_dataset())
    assert len(list(mapped)) == 120
    assert mapped.data_report["rows_rejected"] == 1


def test_rows_of_a_stream_may_differ_in_what_they_hold(masker):
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"messages": [*GOOD[0]["messages"][:1], {"role": "assistant", "content": "x", "tool_calls": [call]}]}
    rows = [GOOD[0], asked, {**GOOD[1], "note": None}, {**GOOD[2], "note": "text"}]
    mapped = masker.map(IterableDataset.from_generator(lambda: iter(rows)))
    assert list(mapped) == expected(masker, rows)


def test_a_transform_is_not_passed_over(masker):
    data = Dataset.from_list(GOOD[:2])
    with pytest.raises(maskprep.UsageError, match="has a transform"):
        masker.map(data.with_transform(lambda batch: batch))
    hidden = Dataset.from_list([{**row, "loss_x": 1} for row in GOOD[:2]]).with_format(None, columns=["messages"])
    assert masker.map(hidden).to_list() == expected(masker, GOOD[:2])


def test_an_entry_that_does_nothing_is_an_error():
    for settings in ({"columns": {"messages": "convo"}}, {"roles": {"narrator": "user"}}):
        with pytest.raises(maskprep.UsageError, match="has no effect"):
            maskprep.Masker(TOKENIZER, **settings).map(Dataset.from_list(GOOD[:2]))
